/* The same as pid.st. */
#include <stdint.h>

typedef struct {
    float sp, pv, kp, ti, td, dt, out, integral, last, e, p, d, u;
} loop;

int32_t result[4];
#define LOOP { 0, 0, 2.0f, 5.0f, 0.5f, 0.01f }
static loop c[8] = { LOOP, LOOP, LOOP, LOOP, LOOP, LOOP, LOOP, LOOP };
static float x[8];
static int32_t n;

static void loop_run(loop *f)
{
    f->e = f->sp - f->pv;
    f->p = f->kp * f->e;
    f->d = f->kp * f->td * (f->last - f->pv) / f->dt;
    f->u = f->p + f->integral + f->d;
    if (f->u > 100.0f)
        f->out = 100.0f;
    else if (f->u < 0.0f)
        f->out = 0.0f;
    else {
        f->out = f->u;
        f->integral = f->integral + f->kp * f->e * f->dt / f->ti;
    }
    f->last = f->pv;
}

/* To the nearest, ties to even, as the program asks; there is no C library. */
static int32_t nearest(float v)
{
    int32_t i = (int32_t)v;
    float rest = v - (float)i;
    if (rest > 0.5f || (rest == 0.5f && (i & 1)))
        i++;
    else if (rest < -0.5f || (rest == -0.5f && (i & 1)))
        i--;
    return i;
}

void scan(int64_t now)
{
    n++;
    for (int i = 0; i <= 7; i++) {
        c[i].sp = (float)(i * 10 + 10);
        c[i].pv = x[i];
        loop_run(&c[i]);
        x[i] = x[i] + (c[i].out - x[i]) * 0.02f;
    }
    result[0] = nearest(x[3] * 1000.0f);
    result[1] = nearest(c[7].out * 1000.0f);
    result[2] = n;
}
