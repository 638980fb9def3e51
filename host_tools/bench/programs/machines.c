/* The same as machines.st. */
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool go, hold, busy;
    int16_t limit, state, count;
} machine;

int32_t result[4];
static machine m[8] = { { .limit = 3 }, { .limit = 3 }, { .limit = 3 }, { .limit = 3 },
                        { .limit = 3 }, { .limit = 3 }, { .limit = 3 }, { .limit = 3 } };
static uint32_t seed = 1;

static void machine_run(machine *f)
{
    switch (f->state) {
    case 0:
        f->busy = false;
        if (f->go) {
            f->state = 1;
            f->count = 0;
        }
        break;
    case 1:
        f->busy = true;
        f->count++;
        if (f->count >= f->limit)
            f->state = 2;
        break;
    case 2:
        if (f->hold) {
            f->state = 1;
            f->count = 0;
        } else if (!f->go)
            f->state = 3;
        break;
    case 3:
        f->count--;
        if (f->count <= 0)
            f->state = 4;
        break;
    case 4:
        f->busy = false;
        if (f->go) {
            f->state = 5;
            f->count = 0;
        }
        break;
    case 5:
        f->busy = true;
        f->count++;
        if (f->count >= f->limit)
            f->state = 6;
        break;
    case 6:
        if (f->hold) {
            f->state = 5;
            f->count = 0;
        } else if (!f->go)
            f->state = 7;
        break;
    case 7:
        f->count--;
        if (f->count <= 0)
            f->state = 8;
        break;
    case 8:
        f->busy = false;
        if (f->go) {
            f->state = 9;
            f->count = 0;
        }
        break;
    case 9:
        f->busy = true;
        f->count++;
        if (f->count >= f->limit)
            f->state = 10;
        break;
    case 10:
        if (f->hold) {
            f->state = 9;
            f->count = 0;
        } else if (!f->go)
            f->state = 11;
        break;
    case 11:
        f->count--;
        if (f->count <= 0)
            f->state = 12;
        break;
    case 12:
        f->busy = false;
        if (f->go) {
            f->state = 13;
            f->count = 0;
        }
        break;
    case 13:
        f->busy = true;
        f->count++;
        if (f->count >= f->limit)
            f->state = 14;
        break;
    case 14:
        if (f->hold) {
            f->state = 13;
            f->count = 0;
        } else if (!f->go)
            f->state = 15;
        break;
    case 15:
        f->count--;
        if (f->count <= 0)
            f->state = 16;
        break;
    case 16:
        f->busy = false;
        if (f->go) {
            f->state = 17;
            f->count = 0;
        }
        break;
    case 17:
        f->busy = true;
        f->count++;
        if (f->count >= f->limit)
            f->state = 18;
        break;
    case 18:
        if (f->hold) {
            f->state = 17;
            f->count = 0;
        } else if (!f->go)
            f->state = 19;
        break;
    case 19:
        f->count--;
        if (f->count <= 0)
            f->state = 0;
        break;
    default:
        f->state = 0;
    }
}

void scan(int64_t now)
{
    result[1] = 0;
    for (int i = 0; i <= 7; i++) {
        seed = seed * 1103515245 + 12345;
        m[i].go = seed >> 17 & 1;
        m[i].hold = (seed >> 18 & 1) && (seed >> 21 & 1);
        machine_run(&m[i]);
        result[0] += m[i].state;
        if (m[i].busy)
            result[1]++;
    }
}
