/* The same as oop.st, with tables of functions. */
#include <stdbool.h>
#include <stdint.h>

typedef struct axis axis;
typedef struct {
    void (*step)(axis *);
    int32_t (*position)(axis *);
} methods;
struct axis {
    const methods *do_;
    int32_t at, speed, ratio;
};

int32_t result[4];

static void linear_step(axis *a)
{
    a->at += a->speed;
    if (a->at > 10000 || a->at < 0)
        a->speed = -a->speed;
}

static void rotary_step(axis *a)
{
    a->at += a->speed;
    if (a->at >= 3600)
        a->at -= 3600;
}

static int32_t base_position(axis *a) { return a->at; }
static int32_t geared_position(axis *a) { return a->at * a->ratio; }

static const methods linear = { linear_step, base_position };
static const methods rotary = { rotary_step, base_position };
static const methods geared = { linear_step, geared_position };
static axis l[3] = { { &linear }, { &linear }, { &linear } };
static axis r[3] = { { &rotary }, { &rotary }, { &rotary } };
static axis g[2] = { { &geared, .ratio = 3 }, { &geared, .ratio = 3 } };
static axis *all[8];
static bool started;

void scan(int64_t now)
{
    if (!started) {
        started = true;
        for (int i = 0; i <= 2; i++) {
            l[i].speed = 17 + i;
            r[i].speed = 23 + i;
            all[i] = &l[i];
            all[i + 3] = &r[i];
        }
        g[0].speed = 5;
        g[1].speed = 6;
        all[6] = &g[0];
        all[7] = &g[1];
    }
    for (int i = 0; i <= 7; i++) {
        all[i]->do_->step(all[i]);
        result[0] += all[i]->do_->position(all[i]);
    }
}
