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

/* A task. The lists hold addresses of channels and end in 0. */
typedef struct {
    u64 interval_ns;
    u64 next_ns, released_ns;      /* logical times of the next release, and of the one served */
    u32 number, level;             /* level: 0 to 2, which spare interrupt */
    mem record;                    /* its record in the image */
    u32 interval_us, interval_rest;  /* the interval in µs, and ns beyond; 0: not periodic */
    u32 next_us, next_rest;        /* the next release as a tick of the timer, and ns beyond */
    u32 released_us;
    word pending, running, started_us;
    u32 faulted;
    u32 on_overrun;                /* 1: an overrun is a fault */
    u32 watchdog_us;
    u32 single, single_mask;       /* offset and bit of the BOOL; mask 0: no SINGLE */
    u32 level_before;              /* of SINGLE */
    input **inputs;
    output **outputs;
    analogue_input **analogue_inputs;
    analogue_output **analogue_outputs;
    change *fault_changes;         /* of the image when the task has faulted */
    u32 fault_count;
    u32 spare;
} scan_task;

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
    u32 code;          /* where the copy of the code lies */
    word running;
    u32 tasks;
    scan_task *task;   /* in the order of priority */
    u32 timer;         /* base address of the timer */
    u32 alarm;         /* which of its alarms */
    u32 alarm_irq, spare_irq;           /* interrupt numbers; the spare ones follow each other */
    u32 gpio_in, gpio_set, gpio_clear;  /* register addresses */
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
    u32 telltale, telltale_mask;   /* a register that a soft reset of MicroPython clears */
    u32 watchdog, watchdog_load;   /* 0: the hardware watchdog is not used */
    word stopped;      /* why, below */
    u32 releases_left; /* release instants to run; 0xFFFFFFFF: no end */
    word freewheeling; /* number of the task that Python asks to scan */
    trace *trace;
    u32 depth;         /* scans that were interrupted by this one */
    u32 start_us;
    u32 vector[5];     /* what was in the vector table: alarm, three spare, hard fault */
    u32 guard_us;      /* when to look at heartbeat and telltale next */
    u32 stack_low;     /* lowest stack pointer at the start of a scan */
} kernel;

/* The same numbers stand in controller/kernel.py (tests/unit/test_kernel_layout.py compares them). */
#define WORD_OF(type, member, n) _Static_assert(__builtin_offsetof(type, member) == 4 * n, #member)
WORD_OF(kernel, until_ns, 0); WORD_OF(kernel, m, 3); WORD_OF(kernel, code, 4);
WORD_OF(kernel, running, 5); WORD_OF(kernel, tasks, 6); WORD_OF(kernel, task, 7);
WORD_OF(kernel, timer, 8); WORD_OF(kernel, alarm, 9); WORD_OF(kernel, alarm_irq, 10);
WORD_OF(kernel, spare_irq, 11); WORD_OF(kernel, gpio_in, 12); WORD_OF(kernel, gpio_set, 13);
WORD_OF(kernel, gpio_clear, 14); WORD_OF(kernel, adc, 15); WORD_OF(kernel, outputs, 16);
WORD_OF(kernel, analogue_outputs, 17); WORD_OF(kernel, forces, 18); WORD_OF(kernel, force, 19);
WORD_OF(kernel, mails, 20); WORD_OF(kernel, mail_offsets, 21); WORD_OF(kernel, mail_lengths, 22);
WORD_OF(kernel, mail_bytes, 23); WORD_OF(kernel, heartbeat, 25); WORD_OF(kernel, patience_us, 28);
WORD_OF(kernel, telltale, 29); WORD_OF(kernel, telltale_mask, 30); WORD_OF(kernel, watchdog, 31);
WORD_OF(kernel, watchdog_load, 32); WORD_OF(kernel, stopped, 33);
WORD_OF(kernel, releases_left, 34); WORD_OF(kernel, freewheeling, 35); WORD_OF(kernel, trace, 36);
WORD_OF(kernel, start_us, 38); WORD_OF(kernel, stack_low, 45);
WORD_OF(scan_task, interval_ns, 0); WORD_OF(scan_task, number, 6); WORD_OF(scan_task, level, 7);
WORD_OF(scan_task, record, 8); WORD_OF(scan_task, interval_us, 9);
WORD_OF(scan_task, interval_rest, 10); WORD_OF(scan_task, faulted, 17);
WORD_OF(scan_task, on_overrun, 18); WORD_OF(scan_task, watchdog_us, 19);
WORD_OF(scan_task, single, 20); WORD_OF(scan_task, single_mask, 21);
WORD_OF(scan_task, inputs, 23); WORD_OF(scan_task, outputs, 24);
WORD_OF(scan_task, analogue_inputs, 25); WORD_OF(scan_task, analogue_outputs, 26);
WORD_OF(scan_task, fault_changes, 27); WORD_OF(scan_task, fault_count, 28);
WORD_OF(trace, task, 0); WORD_OF(trace, state, 1); WORD_OF(trace, signals, 2); WORD_OF(trace, rows, 3);
WORD_OF(trace, row, 4); WORD_OF(trace, after, 5); WORD_OF(trace, filled, 6);
WORD_OF(trace, before, 7); WORD_OF(trace, trigger, 8); WORD_OF(trace, trigger_size, 9);
WORD_OF(trace, trigger_signed, 10); WORD_OF(trace, compare, 11); WORD_OF(trace, threshold, 12);
WORD_OF(trace, last, 13); WORD_OF(trace, armed, 14); WORD_OF(trace, ring, 15);
WORD_OF(trace, where, 16);
_Static_assert(sizeof(kernel) == 4 * 46 && sizeof(scan_task) == 4 * 30, "words");

enum { MAGIC = 0x544B5441, GUARD_US = 500 };
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

/* Timer registers (RP2040 data sheet 4.6.5, RP2350 data sheet 12.8.5: another base, INTR 8 higher). */
#define TIMERAWL(k) REG((k)->timer + 0x28)
#define TIMERAWH(k) REG((k)->timer + 0x24)
#define ALARM(k) REG((k)->timer + 0x10 + 4 * (k)->alarm)
#define ARMED(k) REG((k)->timer + 0x20)
#define TIMER_INTR(k) REG((k)->timer + 0x34)
#define TIMER_INTE_SET(k) REG((k)->timer + 0x38 + 0x2000)
#define TIMER_INTE_CLEAR(k) REG((k)->timer + 0x38 + 0x3000)
/* Nested vectored interrupt controller and system control block (ARMv6-M, B3.4, B3.2). */
#define NVIC_ENABLE REG(0xE000E100)
#define NVIC_DISABLE REG(0xE000E180)
#define NVIC_PEND REG(0xE000E200)
#define NVIC_UNPEND REG(0xE000E280)
#define VECTORS REG(0xE000ED08)

/* --- outputs ------------------------------------------------------------------------------- */

INLINE void drive_analogue(analogue_output *o, u32 duty)
{
    u32 level = duty * o->top / 65535;
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
        drive_analogue(o, part / o->span * 257 + (part % o->span * 257 + (o->span >> 1)) / o->span);
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
        REG((*list)->compare) =
            (REG((*list)->compare) & ~(0xFFFFu << (*list)->shift)) | (*list)->safe << (*list)->shift;
}

/* Ends it all: no further release, outputs safe, the vectors as they were. */
SMALL void stop(kernel *k, u32 why)
{
    u32 interrupts;
    __asm__ volatile("mrs %0, primask\n cpsid i" : "=r"(interrupts) :: "memory");
    if (k->running) {
        k->running = 0;
        k->stopped = why;
        TIMER_INTE_CLEAR(k) = 1u << k->alarm;
        ARMED(k) = 1u << k->alarm;
        TIMER_INTR(k) = 1u << k->alarm;
        u32 spare = 7u << k->spare_irq;
        NVIC_DISABLE = spare | 1u << k->alarm_irq;
        NVIC_UNPEND = spare | 1u << k->alarm_irq;
        make_safe(k);
        word *vectors = (word *)(uptr)VECTORS;
        vectors[16 + k->alarm_irq] = k->vector[0];
        for (u32 n = 0; n < 3; n++)
            vectors[16 + k->spare_irq + n] = k->vector[1 + n];
        vectors[3] = k->vector[4];
        if (HEADER(k->m, STATE) == 1)
            HEADER(k->m, STATE) = 0;
        k->magic = 0;
    }
    __asm__ volatile("msr primask, %0" :: "r"(interrupts) : "memory");
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

INLINE void latch_one(kernel *k, mem m, input *i, u32 pins, u32 now_us)
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
    k->mail_busy = 0;
}

SMALL void impose(kernel *k, mem m)
{
    change *f = k->force;
    for (u32 n = k->forces; n--; f++)
        U8(m + f->offset) = (U8(m + f->offset) & ~f->mask) | f->value;
}

INLINE void write_outputs(kernel *k, mem m, output **list)
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

/* The task is no longer released; its outputs go to their safe states, image and pins. */
SMALL void end_task(kernel *k, scan_task *t, u32 code, u32 position)
{
    mem m = k->m;
    t->faulted = 1;
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
                REG(o->compare) = (REG(o->compare) & ~(0xFFFFu << o->shift)) | o->safe << o->shift;
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

/* Counts the scan: docs/image.md, the task record. */
INLINE void count_scan(scan_task *t, u32 exec_us, u32 latency_us)
{
    u32 *r = (u32 *)t->record;
    u32 scans = r[SCANS];
    r[SCANS] = scans + 1;
    r[EXEC_LAST] = exec_us;
    r[LATENCY_LAST] = latency_us;
    if (!scans || exec_us < r[EXEC_MIN])
        r[EXEC_MIN] = exec_us;
    if (exec_us > r[EXEC_MAX])
        r[EXEC_MAX] = exec_us;
    if (!scans || latency_us < r[LATENCY_MIN])
        r[LATENCY_MIN] = latency_us;
    if (latency_us > r[LATENCY_MAX])
        r[LATENCY_MAX] = latency_us;
    u32 low = r[EXEC_TOTAL] + exec_us;
    r[EXEC_TOTAL + 1] += low < exec_us;
    r[EXEC_TOTAL] = low;
    u32 bucket = HISTOGRAM;
    while (latency_us && bucket < HISTOGRAM + BUCKETS - 1) {
        latency_us >>= 1;
        bucket++;
    }
    r[bucket]++;
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
    t->started_us = start_us;
    t->running = 1;
    u32 sp = (u32)(uptr)__builtin_frame_address(0);
    if (sp < k->stack_low)
        k->stack_low = sp;
    i64 outer_now = NOW(m);
    i32 outer_steps = STEPS(m);
    u32 depth = k->depth++;
    HEADER(m, SEQUENCE)++;
    NOW(m) = released_ns;
    U64(t->record + 152) = released_ns;
    if (k->mails)
        apply_mails(k, m);
    u32 pins = REG(k->gpio_in);
    for (input **list = t->inputs; *list; list++)
        latch_one(k, m, *list, pins, released_us);
    if (*t->analogue_inputs)
        latch_analogue(k, m, t->analogue_inputs);
    if (k->forces)
        impose(k, m);
    u32 code = takt_enter(m, t->number);
    if (unlikely(code))
        end_task(k, t, code, FAULT_AT(m));
    if (k->forces)
        impose(k, m);
    if (unlikely(!k->running))
        return; /* it was stopped in the middle of this scan: the outputs stay safe */
    write_outputs(k, m, t->outputs);
    if (*t->analogue_outputs)
        write_analogue(m, t->analogue_outputs);
    if (unlikely(depth)) { /* the task that was interrupted goes on with its own */
        NOW(m) = outer_now;
        STEPS(m) = outer_steps;
    }
    HEADER(m, SEQUENCE) = (HEADER(m, SEQUENCE) + 1) & 0x3FFFFFFF;
    k->depth = depth;
    if (k->trace)
        sample(k, t, k->trace);
    t->running = 0;
    u32 end_us = TIMERAWL(k), exec_us = end_us - start_us;
    i32 latency_us = start_us - released_us;
    count_scan(t, exec_us, latency_us < 0 ? 0 : latency_us);
    u32 why = 0;
    if (t->interval_us && end_us - released_us > t->interval_us) {
        U32(t->record + 4 * OVERRUNS)++;
        if (t->on_overrun)
            why = OVERRUN;
    }
    if (t->watchdog_us && exec_us > t->watchdog_us)
        why = WATCHDOG;
    if (unlikely(why) && !t->faulted) {
        U32(t->record)--; /* the record of the fault names this scan */
        end_task(k, t, why, 0);
        U32(t->record)++;
        write_outputs(k, m, t->outputs);
        write_analogue(m, t->analogue_outputs);
    }
}

/* --- releases ------------------------------------------------------------------------------ */

/* Run by spare interrupt `level`: all that is pending there, in the order of priority. */
HIDDEN void takt_level(kernel *k, u32 level)
{
    scan_task *t = k->task, *end = t + k->tasks;
    while (t < end) {
        if (t->level == level && t->pending) {
            scan(k, t);
            if (!k->running)
                return;
            t = k->task;
        } else
            t++;
    }
}

INLINE void release(kernel *k, scan_task *t)
{
    t->pending = 1;
    NVIC_PEND = 1u << (k->spare_irq + t->level);
}

/* What is due up to now; the latest release counts, those before it are skipped. While its SINGLE
 * is 1 a task is released by edges alone. */
INLINE void due(kernel *k, scan_task *t, u32 now_us)
{
    u32 missed = t->pending, by_edge = t->single_mask && t->level_before;
    do {
        if (likely(!by_edge)) {
            t->released_us = t->next_us;
            t->released_ns = t->next_ns;
        }
        t->next_ns += t->interval_ns;
        t->next_us += t->interval_us;
        t->next_rest += t->interval_rest;
        if (t->next_rest >= 1000) {
            t->next_rest -= 1000;
            t->next_us++;
        }
        missed++;
    } while ((i32)(now_us - t->next_us) >= 0);
    if (unlikely(by_edge))
        return;
    if (unlikely(--missed))
        U32(t->record + 4 * SKIPPED) += missed;
    release(k, t);
}

/* SINGLE: a task is released by a rising edge of its BOOL (IEC 61131-3:2013, table 63). */
SMALL void look(kernel *k, scan_task *t, u32 now_us)
{
    mem m = k->m;
    u32 pins = REG(k->gpio_in);
    for (input **list = t->inputs; *list; list++)
        if ((*list)->offset == t->single)
            latch_one(k, m, *list, pins, now_us);
    u32 level = (U8(m + t->single) & t->single_mask) != 0;
    if (level && !t->level_before && !t->faulted) {
        if (t->pending)
            U32(t->record + 4 * SKIPPED)++;
        t->released_us = now_us;
        t->released_ns = (u64)(now_us - k->start_us) * 1000;
        release(k, t);
    }
    t->level_before = level;
}

HIDDEN void takt_alarm(kernel *k)
{
    TIMER_INTR(k) = 1u << k->alarm;
    scan_task *end = k->task + k->tasks;
    for (;;) {
        u32 now_us = TIMERAWL(k), next_us = k->guard_us, any = 0;
        /* A little early, so that it needs no alarm of its own beside that of a fast task. */
        if ((i32)(now_us - next_us) >= -GUARD_US / 2) {
            next_us = k->guard_us = now_us + GUARD_US;
            if (!(REG(k->telltale) & k->telltale_mask)) {
                stop(k, SOFT_RESET);
                return;
            }
            if (k->heartbeat != k->heartbeat_seen) {
                k->heartbeat_seen = k->heartbeat;
                k->heartbeat_us = now_us;
            } else if (now_us - k->heartbeat_us > k->patience_us) {
                stop(k, HEARTBEAT);
                return;
            }
            u32 in_time = 1;
            for (scan_task *t = k->task; t < end; t++) {
                if (t->single_mask)
                    look(k, t, now_us);
                if (t->running && now_us - t->started_us > 1000000)
                    in_time = 0;
            }
            if (k->watchdog && in_time)
                REG(k->watchdog) = k->watchdog_load;
        }
        for (scan_task *t = k->task; t < end; t++) {
            if (!t->interval_us || t->faulted)
                continue;
            if ((i32)(now_us - t->next_us) >= 0) {
                if (unlikely(t->next_ns >= k->until_ns)) {
                    k->releases_left = 0;
                    continue;
                }
                any = 1;
                due(k, t, now_us);
            }
            if ((i32)(t->next_us - next_us) < 0)
                next_us = t->next_us;
        }
        if (any) {
            HEADER(k->m, RELEASES)++;
            if (k->releases_left != 0xFFFFFFFF)
                k->releases_left--;
        }
        if (unlikely(!k->releases_left) && !any) {
            /* The last scans have ended before this: they have the higher claim to run. */
            u32 busy = 0;
            for (scan_task *t = k->task; t < end; t++)
                busy |= t->pending | t->running;
            if (!busy) {
                stop(k, HEADER(k->m, STATE) == 2 ? ALL_FAULTED : AT_END);
                return;
            }
        }
        ALARM(k) = next_us;
        if ((i32)(next_us - TIMERAWL(k)) > 0)
            return;
        ARMED(k) = 1u << k->alarm; /* it would only match after the timer's next round */
        TIMER_INTR(k) = 1u << k->alarm;
    }
}

HIDDEN void takt_hard_fault(kernel *k)
{
    if (k->magic == MAGIC)
        stop(k, HARD_FAULT);
}

/* Interrupts come here. The word behind them holds the kernel's address: it is set in the copy. */
__asm__(".section .text.takt_irq, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".thumb_func\n takt_alarm_irq: push {r4, lr}\n ldr r0, takt_context\n bl takt_alarm\n"
        "pop {r4, pc}\n"
        ".thumb_func\n takt_level_0_irq: movs r1, #0\n b 1f\n"
        ".thumb_func\n takt_level_1_irq: movs r1, #1\n b 1f\n"
        ".thumb_func\n takt_level_2_irq: movs r1, #2\n"
        "1: push {r4, lr}\n ldr r0, takt_context\n bl takt_level\n pop {r4, pc}\n"
        /* The handler that was there goes on, with the stack as it found it. */
        ".thumb_func\n takt_hard_fault_irq: push {r4, lr}\n ldr r4, takt_context\n mov r0, r4\n"
        "bl takt_hard_fault\n ldr r0, takt_chain\n pop {r4}\n pop {r1}\n mov lr, r1\n bx r0\n"
        ".balign 4\n takt_context: .word 0\n takt_chain: .word 0\n .text\n");
extern const u8 takt_alarm_irq[], takt_level_0_irq[], takt_level_1_irq[], takt_level_2_irq[];
extern const u8 takt_hard_fault_irq[], takt_context[], takt_chain[], takt_end[];
uptr takt_entry(void *self, uptr n_args, uptr n_kw, const uptr *args);

/* Where a label of this code lies in the copy; a handler's address has bit 0 set. */
#define CODE_BASE ((u32)(uptr)takt_entry & ~1u)
#define COPIED(label) (k->code + ((u32)(uptr)(label) & ~1u) - CODE_BASE)

SMALL void start(kernel *k)
{
    u32 handlers[5] = { COPIED(takt_alarm_irq), COPIED(takt_level_0_irq), COPIED(takt_level_1_irq),
                        COPIED(takt_level_2_irq), COPIED(takt_hard_fault_irq) };
    word *vectors = (word *)(uptr)VECTORS;
    k->vector[0] = vectors[16 + k->alarm_irq];
    for (u32 n = 0; n < 3; n++)
        k->vector[1 + n] = vectors[16 + k->spare_irq + n];
    k->vector[4] = vectors[3];
    REG(COPIED(takt_context)) = (u32)(uptr)k;
    REG(COPIED(takt_chain)) = k->vector[4];
    u32 now_us = TIMERAWL(k), first_us = now_us + 1000;
    k->start_us = first_us;
    for (u32 n = 0; n < k->tasks; n++) {
        k->task[n].next_us = first_us;
        k->task[n].next_rest = 0;
        k->task[n].next_ns = 0;
    }
    k->heartbeat_seen = k->heartbeat;
    k->heartbeat_us = now_us;
    k->guard_us = first_us;
    k->magic = MAGIC;
    k->running = 1;
    HEADER(k->m, STATE) = 1;
    vectors[16 + k->alarm_irq] = handlers[0] | 1;
    for (u32 n = 0; n < 3; n++)
        vectors[16 + k->spare_irq + n] = handlers[1 + n] | 1;
    vectors[3] = handlers[4] | 1;
    /* Priorities are set by kernel.py. */
    u32 irqs = 7u << k->spare_irq | 1u << k->alarm_irq;
    NVIC_UNPEND = irqs;
    NVIC_ENABLE = irqs;
    TIMER_INTR(k) = 1u << k->alarm;
    TIMER_INTE_SET(k) = 1u << k->alarm;
    ALARM(k) = first_us;
}

/* A freewheeling task, scanned by Python when it has nothing else to do. */
SMALL void scan_free(kernel *k)
{
    for (u32 n = 0; n < k->tasks; n++) {
        scan_task *t = k->task + n;
        if (t->number != k->freewheeling || t->faulted || !k->running)
            continue;
        t->released_us = TIMERAWL(k);
        t->released_ns = (u64)(t->released_us - k->start_us) * 1000;
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
