/* The native scan kernel for RP2040 and RP2350 (ARM): tasks released by a hardware alarm, run by
 * interrupts, on stock MicroPython firmware. Compiled behind the program, into one block of
 * position-independent code that controller/kernel.py copies to the end of the heap.
 *
 * Interrupts (RP2040 data sheet 2.3.2, 2.4.4; RP2350 data sheet 3.2, 3.7.2):
 *
 *   the alarm's      priority 0x00   finds what is due, sets the spare interrupts pending, arms the
 *                                    alarm for what comes next, looks whether Python still lives
 *   three spare ones 0x40 0x80 0xC0  run the scans: tasks pre-empt each other in hardware
 *   MicroPython's    0xC0            moved there by kernel.py
 *
 * Python makes the tables below, all of 32-bit words, and takes no part in a scan. What both write is
 * a single word each. The image is that of docs/image.md.
 */

typedef volatile u32 word;
#define SMALL static __attribute__((noinline, minsize, unused))
/* Behind the labels where interrupts come in, which branch here. */
#define HANDLER __attribute__((section(".text.takt_irq"), noinline, used, visibility("hidden")))
#define REG(address) (*(word *)(uptr)(address))

/* A digital input: one bit, or a BOOL of one byte, that follows a pin. */
typedef struct {
    u32 pin;        /* its bit of the GPIO register */
    u32 offset;     /* of the byte in the image */
    u32 bits;       /* the bit in the byte, 0 for a BOOL */
    u32 invert;     /* 0 or 1 */
    u32 filter_us;  /* a level counts when it has lasted this long; 0: at once */
    u32 value;      /* 0, 1, or 2 before the first latch */
    u32 differs;    /* the pin has had another value than `value` since since_us */
    u32 since_us;
} input;

typedef struct {
    u32 pin, offset;
    u32 bits;    /* 0xFF for a BOOL */
    u32 invert;
    u32 safe;    /* 0 or 1: the value when the program has stopped */
    u32 dead;    /* a fault made it safe for good */
} output;

/* low + sign * round(raw * span / 65535), as scaled() of controller/io.py. */
typedef struct {
    u32 channel;  /* of the converter */
    u32 offset, size;
    i32 low;
    u32 span;
    i32 sign;
} analogue_input;

typedef struct {
    u32 compare;  /* address of the slice's compare register */
    u32 shift;    /* 0 for channel A, 16 for B */
    u32 top;      /* the slice's wrap value + 1 */
    u32 offset, size, is_signed;
    i32 low;
    u32 span;
    i32 sign;
    u32 dead;
    u32 safe;     /* the level when the program has stopped */
} analogue_output;

typedef struct {
    u32 offset, mask, value;
} change;

/* A task. The lists hold addresses of channels and end in 0. What a scan reads lies within reach of
 * a load with offset: the first 32 words. */
typedef struct scan_task scan_task;
struct scan_task {
    u64 interval_ns;
    u64 released_ns;               /* logical time of the release that is served */
    u64 grid_ns;                   /* with SINGLE: of the latest one on the grid */
    u32 number, level;             /* level: 0 to 2, which spare interrupt */
    mem record;                    /* its record in the image */
    u32 interval_us, interval_rest;  /* the interval in µs, modulo 2^32, and ns beyond */
    u32 next_us, next_rest;        /* the next release as a tick of the timer, and ns beyond */
    u32 released_us;
    word pending;
    word running;                  /* since when (µs, odd) a scan of it is under way, 0: none is */
    u32 rare;                      /* below */
    u32 faulted;
    u32 on_overrun;                /* 1: an overrun is a fault */
    u32 watchdog_us;               /* 0: none */
    u32 single, single_mask;       /* offset and bit of the BOOL; mask 0: no SINGLE */
    u32 level_before;              /* of SINGLE */
    input **inputs;                /* 0: none */
    output **outputs;              /* 0: none */
    analogue_input **analogue_inputs;
    analogue_output **analogue_outputs;
    change *fault_changes;         /* of the image when the task has faulted */
    u32 fault_count;
    scan_task *further;            /* the next one of this level, 0: none */
    u32 spare_bit;                 /* of its level's interrupt */
    u32 limit_us;                  /* from release to end of scan: beyond it something is wrong */
    u32 kind;                      /* below */
    u32 spare;
};

/* How a task is released: on a grid of whole µs; on one that takes more than that, by SINGLE too; at
 * an interval so long that the timer, which goes round in 2^32 µs, says nothing of it until the
 * release is less than 2^40 ns away. */
enum { NOT_PERIODIC, PLAIN, GRID, FAR };

/* Samples for `takt trace`: a ring of rows, each the release time (ns, low word) and the signals. */
typedef struct {
    u32 task;       /* whose scans are sampled */
    word state;     /* 0 off, 1 filling before the trigger, 2 after it, 3 complete */
    u32 signals;
    u32 rows, row;  /* size of the ring, the next row */
    u32 after;      /* rows still to come when triggered */
    u32 filled;
    u32 before;     /* rows that must be there before a trigger counts */
    u32 trigger, trigger_size, trigger_signed;  /* offset, bytes */
    u32 compare;    /* 0 at once, 1 rises above, 2 falls below, 3 equal */
    i32 threshold, last;
    u32 armed;
    u32 *ring;
    u32 where[16];  /* offset | size << 24 of each signal */
} trace;

typedef struct {
    u64 until_ns;      /* releases from here on are not served */
    u32 magic;         /* MAGIC while this memory is the kernel's */
    mem m;
    u32 code;          /* where the copy of the code lies: for debuggers */
    word running;
    u32 tasks;
    scan_task *task;   /* in the order of priority */
    u32 timer;         /* base address of the timer */
    scan_task *soonest;  /* the one that is due next, if nothing about its release is special */
    u32 others_us;     /* when anything else is due */
    word rare;         /* what the next scans have to do beside: Python and the kernel write it */
    u32 gpio_in, gpio_set, gpio_clear;  /* register addresses */
    u32 telltale, telltale_mask;   /* a register that a soft reset of MicroPython clears */
    scan_task *first[3];           /* of each level */
    u32 spare_irq;     /* number of the first of three spare interrupts */
    u32 adc;
    output **outputs;  /* all of them */
    analogue_output **analogue_outputs;
    word forces;
    change *force;
    word mails;        /* entries that wait: set by Python when all are there */
    u32 *mail_offsets;
    u16 *mail_lengths;
    u8 *mail_bytes;
    u32 mail_busy;
    word heartbeat;    /* Python counts it up */
    u32 heartbeat_seen, heartbeat_us;
    u32 patience_us;
    u32 watchdog, watchdog_load;   /* address of LOAD, and what to write; 0: it is not used */
    trace *trace;
    u32 start_us;
    word stopped;      /* why, below */
    u32 releases_left; /* release instants to run; NO_END: no end */
    word freewheeling; /* number of the task that Python asks to scan */
    u32 vector[5];     /* what was in the vector table: alarm, three spare, hard fault */
    word *slot[5];     /* where in the vector table */
    u32 guard_us;      /* when to look at heartbeat, watchdog and every SINGLE next */
    u32 clock_us;
    u64 clock_ns;      /* logical time at the tick clock_us */
    u32 near_end;      /* until_ns may come before the guard: every release looks at it */
    u32 spare;
} kernel;

/* The same numbers stand in controller/kernel.py (tests/unit/test_kernel_layout.py compares them). */
#define WORD_OF(type, member, n) _Static_assert(__builtin_offsetof(type, member) == 4 * n, #member)
WORD_OF(kernel, until_ns, 0); WORD_OF(kernel, m, 3); WORD_OF(kernel, code, 4);
WORD_OF(kernel, running, 5); WORD_OF(kernel, tasks, 6); WORD_OF(kernel, task, 7);
WORD_OF(kernel, timer, 8); WORD_OF(kernel, rare, 11); WORD_OF(kernel, gpio_in, 12);
WORD_OF(kernel, gpio_set, 13); WORD_OF(kernel, gpio_clear, 14); WORD_OF(kernel, telltale, 15);
WORD_OF(kernel, telltale_mask, 16); WORD_OF(kernel, first, 17); WORD_OF(kernel, spare_irq, 20);
WORD_OF(kernel, adc, 21); WORD_OF(kernel, outputs, 22); WORD_OF(kernel, analogue_outputs, 23);
WORD_OF(kernel, forces, 24); WORD_OF(kernel, force, 25); WORD_OF(kernel, mails, 26);
WORD_OF(kernel, mail_offsets, 27); WORD_OF(kernel, mail_lengths, 28);
WORD_OF(kernel, mail_bytes, 29); WORD_OF(kernel, heartbeat, 31); WORD_OF(kernel, patience_us, 34);
WORD_OF(kernel, watchdog, 35); WORD_OF(kernel, watchdog_load, 36); WORD_OF(kernel, trace, 37);
WORD_OF(kernel, start_us, 38); WORD_OF(kernel, stopped, 39); WORD_OF(kernel, releases_left, 40);
WORD_OF(kernel, freewheeling, 41); WORD_OF(kernel, slot, 47);
WORD_OF(scan_task, interval_ns, 0); WORD_OF(scan_task, number, 6); WORD_OF(scan_task, level, 7);
WORD_OF(scan_task, record, 8); WORD_OF(scan_task, interval_us, 9);
WORD_OF(scan_task, interval_rest, 10); WORD_OF(scan_task, faulted, 17);
WORD_OF(scan_task, on_overrun, 18); WORD_OF(scan_task, watchdog_us, 19);
WORD_OF(scan_task, single, 20); WORD_OF(scan_task, single_mask, 21);
WORD_OF(scan_task, inputs, 23); WORD_OF(scan_task, outputs, 24);
WORD_OF(scan_task, analogue_inputs, 25); WORD_OF(scan_task, analogue_outputs, 26);
WORD_OF(scan_task, fault_changes, 27); WORD_OF(scan_task, fault_count, 28);
WORD_OF(scan_task, further, 29); WORD_OF(scan_task, spare_bit, 30);
WORD_OF(scan_task, limit_us, 31); WORD_OF(scan_task, kind, 32); WORD_OF(scan_task, rare, 16);
WORD_OF(trace, task, 0); WORD_OF(trace, state, 1); WORD_OF(trace, signals, 2); WORD_OF(trace, rows, 3);
WORD_OF(trace, row, 4); WORD_OF(trace, after, 5); WORD_OF(trace, filled, 6);
WORD_OF(trace, before, 7); WORD_OF(trace, trigger, 8); WORD_OF(trace, trigger_size, 9);
WORD_OF(trace, trigger_signed, 10); WORD_OF(trace, compare, 11); WORD_OF(trace, threshold, 12);
WORD_OF(trace, last, 13); WORD_OF(trace, armed, 14); WORD_OF(trace, ring, 15);
WORD_OF(trace, where, 16);
_Static_assert(sizeof(kernel) == 4 * 58 && sizeof(scan_task) == 4 * 34, "words");

/* Bits of `rare`: one word says that a scan has nothing to do but latch, run and write. Those of the
 * kernel are Python's to set, which also counts mails and forces and places the trace; NESTED is the
 * sequence counter's lowest bit, odd while a scan of lower priority is interrupted. */
enum { NESTED = 1, MAILS = 2, FORCES = 4, TRACE = 8, ANALOGUE = 16, FIRST = 32 };

enum { MAGIC = 0x544B5441, GUARD_US = 500 };
#define NO_END 0xFFFFFFFF
/* Where no SINGLE or end asks for more, the general way of the alarm is taken this often. */
enum { PAUSE_US = 50000 };
/* Nearer than this an alarm may have passed before it was set. */
enum { NEAR_US = 50 };
/* Why it has stopped. */
enum { BY_PYTHON = 1, HEARTBEAT, SOFT_RESET, HARD_FAULT, ALL_FAULTED, AT_END };
enum { WATCHDOG = 8, OVERRUN = 9 }; /* docs/faults.md */

/* Words of the header and of a task record (docs/image.md). */
#define HEADER(m, n) U32((m) + 4 * (n))
enum { SEQUENCE = 4, STATE = 5, RELEASES = 8, FAULT_CODE = 10, FAULT_POSITION, FAULT_TASK, FAULT_SCAN };
enum {
    SCANS = 0, OVERRUNS, SKIPPED, TASK_STATE, EXEC_LAST, EXEC_MIN, EXEC_MAX, TASK_FAULT,
    LATENCY_LAST, LATENCY_MIN, LATENCY_MAX, EXEC_TOTAL = 12, HISTOGRAM = 14, BUCKETS = 24
};

/* Logical clock of its latest release. */
#define RELEASE(t) U64((t)->record + 152)

/* Timer registers (RP2040 data sheet 4.6.5, RP2350 data sheet 12.8.5: another base, INTR 8 higher). */
#define TIMERAWL(k) REG((k)->timer + 0x28)
#define TIMERAWH(k) REG((k)->timer + 0x24)
enum { ALARM_NUMBER = 1, ALARM_BIT = 1 << ALARM_NUMBER, ALARM_IRQ = ALARM_NUMBER };
#define ALARM(k) REG((k)->timer + 0x10 + 4 * ALARM_NUMBER)
#define ARMED(k) REG((k)->timer + 0x20)
#define TIMER_INTR(k) REG((k)->timer + 0x34)
#define TIMER_INTE_SET(k) REG((k)->timer + 0x38 + 0x2000)
#define TIMER_INTE_CLEAR(k) REG((k)->timer + 0x38 + 0x3000)
/* Nested vectored interrupt controller (ARMv6-M, B3.4). */
#define NVIC_ENABLE REG(0xE000E100)
#define NVIC_DISABLE REG(0xE000E180)
#define NVIC_PEND REG(0xE000E200)
#define NVIC_UNPEND REG(0xE000E280)

/* --- outputs ------------------------------------------------------------------------------- */

SMALL void drive_analogue(analogue_output *o, u32 level)
{
    REG(o->compare) = (REG(o->compare) & ~(0xFFFFu << o->shift)) | level << o->shift;
}

SMALL void write_analogue(mem m, analogue_output **list)
{
    for (analogue_output *o; (o = *list); list++) {
        if (o->dead)
            continue;
        mem at = m + o->offset;
        i64 value = o->size == 1 ? (o->is_signed ? I8(at) : U8(at))
                  : o->size == 2 ? (o->is_signed ? I16(at) : U16(at))
                                 : (o->is_signed ? (i64)I32(at) : (i64)U32(at));
        i64 distance = (value - o->low) * o->sign;
        u32 d = distance < 0 ? 0 : distance > o->span ? o->span : (u32)distance;
        u32 part = d * 255; /* as unscaled() of controller/io.py; spans end at 2^23 */
        u32 duty = part / o->span * 257 + (part % o->span * 257 + (o->span >> 1)) / o->span;
        drive_analogue(o, duty * o->top / 65535);
    }
}

/* All pins to their safe states; the image keeps what the program wrote. Also run by the hard fault
 * handler, so it touches nothing but the tables and the registers. */
SMALL void make_safe(kernel *k)
{
    u32 set = 0, clear = 0;
    for (output **list = k->outputs; *list; list++) {
        output *o = *list;
        if (o->safe ^ o->invert)
            set |= o->pin;
        else
            clear |= o->pin;
    }
    REG(k->gpio_set) = set;
    REG(k->gpio_clear) = clear;
    for (analogue_output **list = k->analogue_outputs; *list; list++)
        drive_analogue(*list, (*list)->safe);
}

/* Ends it all: no further release, outputs safe, the vectors as they were. */
SMALL void stop(kernel *k, u32 why)
{
    u32 interrupts;
    __asm__ volatile("mrs %0, primask\n cpsid i" : "=r"(interrupts) :: "memory");
    if (k->running) {
        k->running = 0;
        k->stopped = why;
        TIMER_INTE_CLEAR(k) = ALARM_BIT;
        ARMED(k) = ALARM_BIT;
        TIMER_INTR(k) = ALARM_BIT;
        u32 spare = 7u << k->spare_irq;
        NVIC_DISABLE = spare | 1u << ALARM_IRQ;
        NVIC_UNPEND = spare | 1u << ALARM_IRQ;
        make_safe(k);
        /* It runs on where Python is dead: the chip starts again. CTRL, 4 below LOAD; its alias
         * that clears bits; ENABLE (RP2040 data sheet 4.7.6, 2.1.2). */
        if (k->watchdog && why != HEARTBEAT && why != HARD_FAULT)
            REG(k->watchdog - 4 + 0x3000) = 1u << 30;
        for (u32 n = 0; n < 5; n++)
            *k->slot[n] = k->vector[n];
        if (HEADER(k->m, STATE) == 1)
            HEADER(k->m, STATE) = 0;
        k->magic = 0;
    }
    __asm__ volatile("msr primask, %0" :: "r"(interrupts) : "memory");
}

/* --- time ---------------------------------------------------------------------------------- */

/* Logical time at a tick that is not long before or after k->clock_us. */
SMALL u64 since_start(kernel *k, u32 tick_us)
{
    return k->clock_ns + (i64)(i32)(tick_us - k->clock_us) * 1000;
}

/* --- one scan ------------------------------------------------------------------------------ */

SMALL void filtered(input *i, u32 value, u32 now_us)
{
    if (!i->differs) {
        i->differs = 1;
        i->since_us = now_us;
    }
    u32 stable_us = now_us - i->since_us;
    /* The upper half is a time before: a late task has an earlier release than another. */
    if (stable_us >= i->filter_us && stable_us < 0x80000000) {
        i->value = value;
        i->differs = 0;
    }
}

INLINE void latch_one(mem m, input *i, u32 pins, u32 now_us)
{
    u32 value = ((pins & i->pin) != 0) ^ i->invert;
    if (value == i->value)
        i->differs = 0;
    else if (!i->filter_us || i->value > 1) {
        i->value = value;
        i->differs = 0;
    } else
        filtered(i, value, now_us);
    mem at = m + i->offset;
    u32 bits = i->bits;
    if (!bits)
        U8(at) = i->value;
    else if (i->value)
        U8(at) |= bits;
    else
        U8(at) &= ~bits;
}

ROUTINE void latch(mem m, input **list, u32 pins, u32 now_us)
{
    for (input *i; (i = *list); list++)
        latch_one(m, i, pins, now_us);
}

SMALL void latch_analogue(kernel *k, mem m, analogue_input **list)
{
    for (analogue_input *i; (i = *list); list++) {
        /* ADC CS: EN, START_ONCE, AINSEL; READY is bit 8 (RP2040 data sheet 4.9.6). */
        REG(k->adc) = i->channel << 12 | 1 << 2 | 1;
        while (!(REG(k->adc) & 1 << 8))
            ;
        u32 counts = REG(k->adc + 4) & 0xFFF;
        u32 raw = counts << 4 | counts >> 8; /* as machine.ADC.read_u16 */
        u32 part = raw * (i->span >> 8), rest = part % 65535;
        i32 value = (i32)((part / 65535 << 8) + ((rest << 8) + raw * (i->span & 0xFF) + 32767) / 65535);
        value = i->low + i->sign * value;
        mem at = m + i->offset;
        if (i->size == 1)
            U8(at) = value;
        else if (i->size == 2)
            U16(at) = value;
        else
            U32(at) = value;
    }
}

SMALL void apply_mails(kernel *k, mem m)
{
    if (k->mail_busy)
        return; /* a task of lower priority is at it */
    k->mail_busy = 1;
    const u8 *from = k->mail_bytes;
    u32 count = k->mails;
    for (u32 n = 0; n < count; n++) {
        mem at = m + k->mail_offsets[n];
        u32 length = k->mail_lengths[n];
        if (!length) {
            *at = (*at & ~from[0]) | from[1];
            from += 2;
        }
        while (length--)
            *at++ = *from++;
    }
    k->mails = 0;
    k->rare &= ~MAILS;
    k->mail_busy = 0;
}

SMALL void impose(kernel *k, mem m)
{
    change *f = k->force;
    for (u32 n = k->forces; n--; f++)
        U8(m + f->offset) = (U8(m + f->offset) & ~f->mask) | f->value;
}

ROUTINE void write_outputs(kernel *k, mem m, output **list)
{
    u32 set = 0, clear = 0;
    for (output *o; (o = *list); list++) {
        if (o->dead)
            continue;
        u32 on = ((U8(m + o->offset) & o->bits) != 0) ^ o->invert;
        if (on)
            set |= o->pin;
        else
            clear |= o->pin;
    }
    REG(k->gpio_set) = set;
    REG(k->gpio_clear) = clear;
}

/* The next alarm takes the general way. */
INLINE void forget_soonest(kernel *k)
{
    *(scan_task *volatile *)&k->soonest = 0;
}

/* The task is no longer released; its outputs go to their safe states, image and pins. */
SMALL void end_task(kernel *k, scan_task *t, u32 code, u32 position)
{
    mem m = k->m;
    t->faulted = 1;
    forget_soonest(k);
    t->pending = 0;
    U32(t->record + 4 * TASK_STATE) = 2;
    U32(t->record + 4 * TASK_FAULT) = code;
    HEADER(m, STATE) = 2;
    if (!HEADER(m, FAULT_CODE)) {
        HEADER(m, FAULT_CODE) = code;
        HEADER(m, FAULT_POSITION) = position;
        HEADER(m, FAULT_TASK) = t->number;
        HEADER(m, FAULT_SCAN) = U32(t->record);
        U64(m + 56) = t->released_ns;
    }
    for (u32 n = 0; n < t->fault_count; n++) {
        change *c = t->fault_changes + n;
        if (c->offset & 0x80000000) { /* an output of all tasks: its pin only, for good */
            if (c->mask) {
                analogue_output *o = (analogue_output *)(uptr)c->value;
                o->dead = 1;
                drive_analogue(o, o->safe);
            } else {
                output *o = (output *)(uptr)c->value;
                o->dead = 1;
                REG(o->safe ^ o->invert ? k->gpio_set : k->gpio_clear) = o->pin;
            }
        } else
            U8(m + c->offset) = (U8(m + c->offset) & ~c->mask) | c->value;
    }
    u32 left = 0;
    for (u32 n = 0; n < k->tasks; n++)
        left += !k->task[n].faulted;
    if (!left)
        k->releases_left = 0;
}

SMALL void sample(kernel *k, scan_task *t, trace *r)
{
    if (r->task != t->number || r->state == 0 || r->state == 3)
        return;
    mem m = k->m;
    u32 *row = r->ring + r->row * (r->signals + 1);
    *row++ = (u32)t->released_ns;
    for (u32 n = 0; n < r->signals; n++) {
        mem at = m + (r->where[n] & 0xFFFFFF);
        u32 size = r->where[n] >> 24;
        *row++ = size == 1 ? U8(at) : size == 2 ? U16(at) : U32(at);
    }
    if (++r->row == r->rows)
        r->row = 0;
    if (r->filled < r->rows)
        r->filled++;
    if (r->state == 2) {
        if (!--r->after)
            r->state = 3;
        return;
    }
    mem at = m + r->trigger;
    i32 x = r->trigger_size == 1 ? (r->trigger_signed ? I8(at) : U8(at))
          : r->trigger_size == 2 ? (r->trigger_signed ? I16(at) : U16(at)) : I32(at);
    u32 fires = r->compare == 0 || (r->compare == 3 && x == r->threshold)
             || (r->armed && r->compare == 1 && r->last <= r->threshold && x > r->threshold)
             || (r->armed && r->compare == 2 && r->last >= r->threshold && x < r->threshold);
    r->last = x;
    r->armed = 1;
    if (fires && r->filled > r->before)
        r->state = --r->after ? 2 : 3;
}

/* The middle of a scan that has more to do. Returns how far the sequence counter is to move at its
 * end, 0 when the kernel was stopped meanwhile. */
SMALL u32 scan_with_more(kernel *k, scan_task *t, u32 released_us, u32 rare, u64 released_ns)
{
    mem m = k->m;
    i64 outer_now = NOW(m);
    i32 outer_steps = STEPS(m);
    NOW(m) = released_ns;
    RELEASE(t) = released_ns;
    if (rare & MAILS)
        apply_mails(k, m);
    u32 pins = REG(k->gpio_in);
    if (t->inputs)
        latch(m, t->inputs, pins, released_us);
    latch_analogue(k, m, t->analogue_inputs);
    if (rare & FORCES)
        impose(k, m);
    u32 code = takt_enter(m, t->number);
    if (code)
        end_task(k, t, code, FAULT_AT(m));
    if (rare & FORCES)
        impose(k, m);
    if (!k->running)
        return 0;
    if (t->outputs)
        write_outputs(k, m, t->outputs);
    write_analogue(m, t->analogue_outputs);
    if (rare & TRACE)
        sample(k, t, k->trace);
    if (rare & FIRST) {
        t->rare &= ~FIRST;
        U32(t->record + 4 * EXEC_MIN) = U32(t->record + 4 * LATENCY_MIN) = 0xFFFFFFFF;
    }
    if (!(rare & NESTED))
        return 1;
    /* The task that was interrupted goes on with its own, and the counter stays odd. */
    NOW(m) = outer_now;
    STEPS(m) = outer_steps;
    return 2;
}

/* Overrun, or watchdog: how long it took from its release, and by itself. */
SMALL void late(kernel *k, scan_task *t, u32 all_us, u32 exec_us)
{
    u32 why = 0;
    if ((t->kind == PLAIN || t->kind == GRID) && all_us > t->interval_us) {
        U32(t->record + 4 * OVERRUNS)++;
        if (t->on_overrun)
            why = OVERRUN;
    }
    if (t->watchdog_us && exec_us > t->watchdog_us)
        why = WATCHDOG;
    if (!why || t->faulted)
        return;
    U32(t->record)--; /* the record of the fault names this scan */
    end_task(k, t, why, 0);
    U32(t->record)++;
    if (t->outputs)
        write_outputs(k, k->m, t->outputs);
    write_analogue(k->m, t->analogue_outputs);
}

/* Counts the scan: docs/image.md, the task record. */
INLINE void count_scan(scan_task *t, u32 exec_us, u32 latency_us)
{
    u32 *r = (u32 *)t->record;
    r[SCANS]++;
    r[EXEC_LAST] = exec_us;
    if (unlikely(exec_us < r[EXEC_MIN]))
        r[EXEC_MIN] = exec_us;
    if (unlikely(exec_us > r[EXEC_MAX]))
        r[EXEC_MAX] = exec_us;
    r[LATENCY_LAST] = latency_us;
    if (unlikely(latency_us < r[LATENCY_MIN]))
        r[LATENCY_MIN] = latency_us;
    if (unlikely(latency_us > r[LATENCY_MAX]))
        r[LATENCY_MAX] = latency_us;
    u32 low = r[EXEC_TOTAL] + exec_us;
    r[EXEC_TOTAL] = low;
    if (unlikely(low < exec_us))
        r[EXEC_TOTAL + 1]++;
    r += HISTOGRAM;
    for (u32 *last = r + BUCKETS - 1; latency_us && r < last; latency_us >>= 1)
        r++;
    ++*r;
}

ROUTINE void scan(kernel *k, scan_task *t)
{
    mem m = k->m;
    /* The alarm may release the task anew while it runs: this scan keeps to its own release. */
    __asm__ volatile("cpsid i" ::: "memory");
    u32 released_us = t->released_us;
    u64 released_ns = t->released_ns;
    t->pending = 0;
    __asm__ volatile("cpsie i" ::: "memory");
    u32 start_us = TIMERAWL(k);
    t->running = start_us | 1;
    u32 sequence = HEADER(m, SEQUENCE), step = 1;
    u32 rare = k->rare | t->rare | (sequence & NESTED);
    HEADER(m, SEQUENCE) = sequence | 1;
    __asm__ volatile("" ::: "memory"); /* who interrupts from here on gives back what it changes */
    if (unlikely(rare)) {
        step = scan_with_more(k, t, released_us, rare, released_ns);
        if (!step)
            return;
    } else {
        NOW(m) = released_ns;
        RELEASE(t) = released_ns;
        u32 pins = REG(k->gpio_in);
        if (t->inputs)
            latch(m, t->inputs, pins, released_us);
        u32 code = takt_enter(m, t->number);
        if (unlikely(code))
            end_task(k, t, code, FAULT_AT(m));
        if (unlikely(!k->running))
            return; /* it was stopped in the middle of this scan: the outputs stay safe */
        if (t->outputs)
            write_outputs(k, m, t->outputs);
    }
    __asm__ volatile("" ::: "memory");
    HEADER(m, SEQUENCE) = (HEADER(m, SEQUENCE) + step) & 0x3FFFFFFF;
    t->running = 0;
    u32 end_us = TIMERAWL(k);
    count_scan(t, end_us - start_us, start_us - released_us);
    if (unlikely(end_us - released_us > t->limit_us))
        late(k, t, end_us - released_us, end_us - start_us);
}

/* --- releases ------------------------------------------------------------------------------ */

/* What is pending of a level, in the order of priority. */
SMALL void scan_level(kernel *k, scan_task *first)
{
    for (scan_task *t = first; t;)
        if (t->pending) {
            scan(k, t);
            if (!k->running)
                return;
            t = first;
        } else
            t = t->further;
}

/* Run by a spare interrupt, which is pending again when there was a release meanwhile. */
HANDLER void takt_level(kernel *k, scan_task *first)
{
    if (unlikely(first->further != 0))
        scan_level(k, first);
    else if (first->pending)
        scan(k, first);
}

INLINE void release(scan_task *t)
{
    t->pending = 1;
    NVIC_PEND = t->spare_bit;
}

/* A PLAIN task that is due and not pending. */
INLINE void release_plain(scan_task *t, u32 next_us)
{
    release(t);
    t->released_us = next_us;
    t->next_us = next_us + t->interval_us;
    t->released_ns += t->interval_ns;
}

/* Logical time of the latest release on the grid. */
INLINE u64 *grid_of(scan_task *t)
{
    return t->single_mask ? &t->grid_ns : &t->released_ns;
}

/* What is due up to now; the latest release counts, those before it are skipped. While its SINGLE
 * is 1 a task is released by edges alone. */
SMALL void due(scan_task *t, u32 now_us)
{
    u32 missed = t->pending, by_edge = t->single_mask && t->level_before, at_us;
    u64 *grid_ns = grid_of(t);
    do {
        at_us = t->next_us;
        *grid_ns += t->interval_ns;
        t->next_us += t->interval_us;
        t->next_rest += t->interval_rest;
        if (t->next_rest >= 1000) {
            t->next_rest -= 1000;
            t->next_us++;
        }
        missed++;
    } while (t->kind != FAR && (i32)(now_us - t->next_us) >= 0);
    if (by_edge)
        return;
    t->released_us = at_us;
    t->released_ns = *grid_ns;
    U32(t->record + 4 * SKIPPED) += missed - 1;
    release(t);
}

SMALL u32 is_far_away(kernel *k, scan_task *t)
{
    return (i64)(*grid_of(t) + t->interval_ns - k->clock_ns) >> 40 > 0;
}

/* SINGLE: a task is released by a rising edge of its BOOL (IEC 61131-3:2013, table 63). */
SMALL void look(kernel *k, scan_task *t, u32 now_us)
{
    mem m = k->m;
    u32 pins = REG(k->gpio_in);
    input **list = t->inputs;
    for (input *one[2] = { 0, 0 }; list && (one[0] = *list); list++)
        if (one[0]->offset == t->single)
            latch(m, one, pins, now_us);
    u32 level = (U8(m + t->single) & t->single_mask) != 0;
    if (level && !t->level_before && !t->faulted) {
        if (t->pending)
            U32(t->record + 4 * SKIPPED)++;
        t->released_us = now_us;
        t->released_ns = since_start(k, now_us);
        release(t);
    }
    t->level_before = level;
}

/* Heartbeat, watchdog, every SINGLE. Returns when to look again, 0 when the kernel has stopped. */
SMALL u32 guard(kernel *k, u32 now_us)
{
    u32 pause_us = PAUSE_US, in_time = 1;
    k->clock_ns = since_start(k, now_us);
    k->clock_us = now_us;
    k->near_end = k->clock_ns + 2000ull * PAUSE_US >= k->until_ns;
    if (k->heartbeat != k->heartbeat_seen) {
        k->heartbeat_seen = k->heartbeat;
        k->heartbeat_us = now_us;
    } else if (now_us - k->heartbeat_us > k->patience_us) {
        stop(k, HEARTBEAT);
        return 0;
    }
    for (scan_task *t = k->task, *end = t + k->tasks; t < end; t++) {
        if (t->single_mask) {
            look(k, t, now_us);
            pause_us = GUARD_US;
        }
        if (t->running && now_us - t->running > 1000000)
            in_time = 0;
    }
    if (k->watchdog && in_time)
        REG(k->watchdog) = k->watchdog_load;
    return pause_us;
}

/* The general way of the alarm: all that may be due. Leaves to takt_alarm what it may do alone. */
SMALL void alarm_for_all(kernel *k)
{
    scan_task *end = k->task + k->tasks;
    for (;;) {
        if (!(REG(k->telltale) & k->telltale_mask)) {
            stop(k, SOFT_RESET);
            return;
        }
        u32 now_us = TIMERAWL(k), any = 0, ended = !k->releases_left;
        /* A little early, so that it needs no alarm of its own beside that of a fast task. */
        if ((i32)(now_us - k->guard_us) >= -GUARD_US / 2) {
            u32 pause_us = guard(k, now_us);
            if (!pause_us)
                return;
            k->guard_us = now_us + pause_us;
        }
        u32 near_end = k->near_end | (k->releases_left != NO_END);
        scan_task *soonest = 0;
        u32 others_us = k->guard_us;
        for (scan_task *t = k->task; t < end; t++) {
            u32 kind = t->kind;
            if (!kind || t->faulted || (kind == FAR && is_far_away(k, t)))
                continue;
            u32 next_us = t->next_us;
            if ((i32)(now_us - next_us) >= 0) {
                if (near_end && (ended || *grid_of(t) + t->interval_ns >= k->until_ns)) {
                    k->releases_left = 0;
                    continue;
                }
                any = 1;
                if (kind == PLAIN && !t->pending)
                    release_plain(t, next_us);
                if ((i32)(now_us - t->next_us) >= 0)
                    due(t, now_us);
                if (kind == FAR)
                    continue;
                next_us = t->next_us;
            }
            if (kind == PLAIN && !soonest) {
                soonest = t;
                continue;
            }
            if (kind == PLAIN && (i32)(next_us - soonest->next_us) < 0) {
                next_us = soonest->next_us;
                soonest = t;
            }
            if ((i32)(next_us - others_us) < 0)
                others_us = next_us;
        }
        if (any) {
            HEADER(k->m, RELEASES)++;
            if (k->releases_left != NO_END)
                k->releases_left--;
        }
        if (!k->releases_left && !any) {
            /* The last scans have ended before this: they have the higher claim to run. */
            u32 busy = 0;
            for (scan_task *t = k->task; t < end; t++)
                busy |= t->pending | t->running;
            if (!busy) {
                stop(k, HEADER(k->m, STATE) == 2 ? ALL_FAULTED : AT_END);
                return;
            }
        }
        u32 next_us = now_us + GUARD_US;
        if ((i32)(others_us - next_us) < 0)
            next_us = others_us;
        if (soonest) {
            if ((i32)(soonest->next_us - next_us) < 0)
                next_us = soonest->next_us;
            if (near_end)
                soonest = 0;
        }
        k->soonest = soonest;
        k->others_us = others_us;
        ALARM(k) = next_us;
        if ((i32)(next_us - TIMERAWL(k)) > 0)
            return;
        ARMED(k) = ALARM_BIT; /* it would only match after the timer's next round */
        TIMER_INTR(k) = ALARM_BIT;
    }
}

/* As a rule one task is due, on its grid of whole µs, and nothing else; or nothing, and it is only
 * time to see whether MicroPython was reset. */
HANDLER void takt_alarm(kernel *k)
{
    TIMER_INTR(k) = ALARM_BIT;
    u32 now_us = TIMERAWL(k);
    scan_task *t = k->soonest;
    i32 ahead_us = k->others_us - now_us;
    if (!(REG(k->telltale) & k->telltale_mask) || ahead_us <= 0 || !t)
        goto all;
    u32 next_us = t->next_us;
    if ((i32)(next_us - now_us) <= 0) {
        if (t->pending)
            goto all;
        release_plain(t, next_us);
        next_us = t->next_us;
        HEADER(k->m, RELEASES)++;
    }
    if ((i32)(next_us - now_us) < ahead_us)
        ahead_us = next_us - now_us;
    if (ahead_us > GUARD_US)
        ahead_us = GUARD_US;
    if (ahead_us > NEAR_US) {
        ALARM(k) = now_us + ahead_us;
        return;
    }
all:
    alarm_for_all(k);
}

HIDDEN void takt_hard_fault(kernel *k)
{
    if (k->magic == MAGIC)
        stop(k, HARD_FAULT);
}

/* Interrupts come here. The word behind them holds the kernel's address: it is set in the copy. */
__asm__(".section .text.takt_irq, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".thumb_func\n takt_alarm_irq: ldr r0, takt_context\n b takt_alarm\n"
        ".thumb_func\n takt_level_0_irq: ldr r0, takt_context\n ldr r1, [r0, #68]\n b takt_level\n"
        ".thumb_func\n takt_level_1_irq: ldr r0, takt_context\n ldr r1, [r0, #72]\n b takt_level\n"
        ".thumb_func\n takt_level_2_irq: ldr r0, takt_context\n ldr r1, [r0, #76]\n b takt_level\n"
        /* The handler that was there goes on, with the stack as it found it. */
        ".thumb_func\n takt_hard_fault_irq: push {r4, lr}\n ldr r4, takt_context\n mov r0, r4\n"
        "bl takt_hard_fault\n ldr r0, takt_chain\n pop {r4}\n pop {r1}\n mov lr, r1\n bx r0\n"
        ".balign 4\n takt_context: .word 0\n takt_chain: .word 0\n"
        "takt_ways: .byte takt_context - takt_alarm_irq, takt_context - takt_level_0_irq,"
        "takt_context - takt_level_1_irq, takt_context - takt_level_2_irq,"
        "takt_context - takt_hard_fault_irq\n .balign 4\n .text\n");
extern const u32 takt_context[]; /* and takt_chain */
extern const u8 takt_ways[], takt_end[];
uptr takt_entry(void *self, uptr n_args, uptr n_kw, const uptr *args);

#define CODE_BASE ((u32)(uptr)takt_entry & ~1u)

/* Runs in the copy of the code. */
SMALL void start(kernel *k)
{
    word *context = (word *)takt_context;
    PLACE(context); /* not the constant that it was in the original */
    context[0] = (u32)(uptr)k;
    context[1] = *k->slot[4];
    for (u32 n = 0; n < 5; n++) {
        k->vector[n] = *k->slot[n];
        *k->slot[n] = ((u32)(uptr)context - takt_ways[n]) | 1;
    }
    u32 now_us = TIMERAWL(k), first_us = now_us + 1000;
    k->start_us = k->clock_us = first_us;
    for (scan_task *t = k->task, *end = t + k->tasks; t < end; t++) {
        t->next_us = first_us;
        t->released_ns = t->grid_ns = -t->interval_ns;
    }
    k->heartbeat_seen = k->heartbeat;
    k->heartbeat_us = now_us;
    k->guard_us = first_us;
    k->near_end = 1;
    k->soonest = 0;
    k->magic = MAGIC;
    k->running = 1;
    HEADER(k->m, STATE) = 1;
    /* Priorities are set by kernel.py. */
    u32 irqs = 7u << k->spare_irq | 1u << ALARM_IRQ;
    NVIC_UNPEND = irqs;
    NVIC_ENABLE = irqs;
    TIMER_INTR(k) = ALARM_BIT;
    TIMER_INTE_SET(k) = ALARM_BIT;
    ALARM(k) = first_us;
}

/* A freewheeling task, scanned by Python when it has nothing else to do. */
SMALL void scan_free(kernel *k)
{
    for (u32 n = 0; n < k->tasks; n++) {
        scan_task *t = k->task + n;
        if (t->number != k->freewheeling || t->faulted || !k->running)
            continue;
        __asm__ volatile("cpsid i" ::: "memory");
        t->released_us = TIMERAWL(k);
        t->released_ns = since_start(k, t->released_us);
        __asm__ volatile("cpsie i" ::: "memory");
        scan(k, t);
    }
}

__attribute__((minsize)) HIDDEN u32 takt_kernel(u32 operation, kernel *k)
{
    switch (operation) {
    case 1:
        return CODE_BASE;
    case 2:
        return (u32)(uptr)takt_end - CODE_BASE;
    case 3:
        start(k);
        return 0;
    case 4:
        stop(k, BY_PYTHON);
        return 0;
    case 5:
        scan_free(k);
        return 0;
    }
    return 0;
}
