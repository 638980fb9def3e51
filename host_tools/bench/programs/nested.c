/* The same as nested.st. */
#include <stdbool.h>
#include <stdint.h>

typedef struct { bool clk, q, before; } edge;
typedef struct { int32_t target, rate, out; } ramp;
typedef struct { int32_t value, high; bool alarm; int32_t count; edge edge; } monitor;
typedef struct {
    bool run;
    int32_t speed, actual;
    bool fault;
    ramp ramp;
    monitor monitor;
    edge start;
    int32_t starts;
} drive;

int32_t result[4];
#define DRIVE { .ramp = { .rate = 25 } }
static drive d[8] = { DRIVE, DRIVE, DRIVE, DRIVE, DRIVE, DRIVE, DRIVE, DRIVE };
static int32_t n;

static void edge_run(edge *f)
{
    f->q = f->clk && !f->before;
    f->before = f->clk;
}

static void ramp_run(ramp *f)
{
    if (f->out < f->target)
        f->out = f->out + f->rate < f->target ? f->out + f->rate : f->target;
    else
        f->out = f->out - f->rate > f->target ? f->out - f->rate : f->target;
}

static void monitor_run(monitor *f)
{
    f->edge.clk = f->value > f->high;
    edge_run(&f->edge);
    if (f->edge.q)
        f->count++;
    f->alarm = f->value > f->high + 50;
}

static void drive_run(drive *f)
{
    f->start.clk = f->run;
    edge_run(&f->start);
    if (f->start.q)
        f->starts++;
    f->ramp.target = f->run ? f->speed : 0;
    ramp_run(&f->ramp);
    f->monitor.value = f->ramp.out;
    f->monitor.high = 300;
    monitor_run(&f->monitor);
    f->actual = f->ramp.out;
    f->fault = f->monitor.alarm && f->run;
}

void scan(int64_t now)
{
    n++;
    for (int i = 0; i <= 7; i++) {
        d[i].run = (n + i) % 64 < 40;
        d[i].speed = 200 + i * 40;
        drive_run(&d[i]);
        result[0] += d[i].actual;
        if (d[i].fault)
            result[1]++;
    }
}
