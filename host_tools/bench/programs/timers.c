/* The same as timers.st. */
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool in, q, running;
    int64_t pt, et, start;
} ton;

typedef struct {
    bool cu, r, q, before;
    int16_t pv, cv;
} ctu;

int32_t result[4];
static ton t[32];
static ctu c[16];
static uint32_t n;

static void ton_run(ton *f, int64_t now)
{
    if (!f->in) {
        f->running = false;
        f->q = false;
        f->et = 0;
    } else {
        if (!f->running) {
            f->running = true;
            f->start = now;
        }
        f->et = now - f->start;
        if (f->et >= f->pt) {
            f->et = f->pt;
            f->q = true;
        }
    }
}

static void ctu_run(ctu *f)
{
    if (f->r)
        f->cv = 0;
    else if (f->cu && !f->before && f->cv < 32767)
        f->cv++;
    f->before = f->cu;
    f->q = f->cv >= f->pv;
}

void scan(int64_t now)
{
    n++;
    for (int i = 0; i <= 31; i++) {
        t[i].in = n % 7 != 0 || i > 16;
        t[i].pt = 25000000;
        ton_run(&t[i], now);
        if (t[i].q)
            result[0]++;
    }
    for (int i = 0; i <= 15; i++) {
        c[i].cu = t[i].q;
        c[i].r = c[i].q;
        c[i].pv = 3;
        ctu_run(&c[i]);
        if (c[i].q)
            result[1]++;
    }
    result[2] = (int32_t)(t[31].et / 1000000);
}
