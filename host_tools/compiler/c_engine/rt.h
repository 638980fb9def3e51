/* What programs of the native engine are made with: access to the image, faults, and the operations
 * of host_tools/compiler/ir.py that C does not have or leaves undefined.
 *
 * Freestanding, no writable statics: everything a program remembers is in the image, whose address
 * `m` every function gets. Compiled with -fwrapv -fno-strict-aliasing -ffp-contract=off.
 */

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT8_TYPE__ i8;
typedef __INT16_TYPE__ i16;
typedef __INT32_TYPE__ i32;
typedef __INT64_TYPE__ i64;
typedef __UINTPTR_TYPE__ uptr;
typedef float f32;
typedef double f64;
typedef u8 *mem;

#define U8(p) (*(u8 *)(p))
#define U16(p) (*(u16 *)(p))
#define U32(p) (*(u32 *)(p))
#define U64(p) (*(u64 *)(p))
#define I8(p) (*(i8 *)(p))
#define I16(p) (*(i16 *)(p))
#define I32(p) (*(i32 *)(p))
#define I64(p) (*(i64 *)(p))
#define F32(p) (*(f32 *)(p))
#define F64(p) (*(f64 *)(p))

#define INLINE static inline __attribute__((always_inline, unused))
#define ROUTINE static __attribute__((noinline, unused))
#define COLD static __attribute__((noinline, cold, noreturn, unused))
/* From here on an address is what it is: the compiler does not make several out of its parts. */
#define PLACE(p) __asm__("" : "+r"(p))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* The image's header (docs/image.md). */
#define NOW(m) I64((m) + 24)
#define NATIVE(m) (*(uptr *)((m) + 64))  /* the stack pointer that a fault goes back to */
#define STEPS(m) I32((m) + 72)           /* back-edges left to this release */
#define FAULT_AT(m) U32((m) + 76)        /* position of the fault that ended it */

enum { DIVISION = 1, INDEX, RANGE, NULL_REFERENCE, SHIFT, STEP, BUDGET };

/* --- entering a task, and leaving it by a fault ---------------------------------------------
 *
 * takt_enter(m, n) saves what the platform's procedures must preserve, notes the stack pointer in the
 * header and calls takt_run(m, n), the logic of task n; it returns 0. takt_leave(m, code) goes back to
 * where takt_enter was called, however deep the calls are, and makes it return `code`. */

#define HIDDEN __attribute__((noinline, used, visibility("hidden")))
#define EXPORT __attribute__((noinline, used, visibility("default")))
#define NAKED __attribute__((naked))

HIDDEN void takt_run(mem m, u32 number);
u32 takt_enter(mem m, u32 number);
__attribute__((noreturn)) void takt_leave(mem m, u32 code);

#if defined(__x86_64__)
NAKED EXPORT u32 takt_enter(mem m, u32 number)
{
    __asm__("push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
            "push 64(%rdi)\n push %rdi\n sub $8, %rsp\n mov %rsp, 64(%rdi)\n"
            "call takt_run\n"
            "xor %eax, %eax\n"
            "takt_out: add $8, %rsp\n pop %rdi\n pop 64(%rdi)\n"
            "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret");
}
NAKED HIDDEN void takt_leave(mem m, u32 code)
{
    __asm__("mov 64(%rdi), %rsp\n mov %esi, %eax\n jmp takt_out");
}
#elif defined(__aarch64__)
NAKED EXPORT u32 takt_enter(mem m, u32 number)
{
    __asm__("stp x29, x30, [sp, #-176]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n"
            "stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
            "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
            "stp d14, d15, [sp, #144]\n ldr x9, [x0, #64]\n stp x0, x9, [sp, #160]\n"
            "mov x9, sp\n str x9, [x0, #64]\n"
            "bl takt_run\n mov w0, #0\n"
            "takt_out: ldp x10, x9, [sp, #160]\n str x9, [x10, #64]\n"
            "ldp d14, d15, [sp, #144]\n ldp d12, d13, [sp, #128]\n ldp d10, d11, [sp, #112]\n"
            "ldp d8, d9, [sp, #96]\n ldp x27, x28, [sp, #80]\n ldp x25, x26, [sp, #64]\n"
            "ldp x23, x24, [sp, #48]\n ldp x21, x22, [sp, #32]\n ldp x19, x20, [sp, #16]\n"
            "ldp x29, x30, [sp], #176\n ret");
}
NAKED HIDDEN void takt_leave(mem m, u32 code)
{
    __asm__("ldr x9, [x0, #64]\n mov sp, x9\n mov w0, w1\n b takt_out");
}
#elif defined(__arm__)
/* Only instructions of ARMv6-M. What takt_run preserves needs no restoring where it returns; a fault
 * takes all from the stack. (For ARMv6-M the compiler uses r0 to r7 only: nothing to save.) */
#ifdef __ARM_ARCH_6M__
#define PUSH_HIGH
#define POP_HIGH
#define SAVED "28"
#else
#define PUSH_HIGH "mov r2, r8\n mov r3, r9\n push {r2, r3}\n mov r2, r10\n mov r3, r11\n push {r2, r3}\n"
#define POP_HIGH "pop {r4, r5}\n mov r10, r4\n mov r11, r5\n pop {r4, r5}\n mov r8, r4\n mov r9, r5\n"
#define SAVED "44"
#endif
NAKED EXPORT u32 takt_enter(mem m, u32 number)
{
    __asm__("push {r4-r7, lr}\n" PUSH_HIGH "ldr r3, [r0, #64]\n push {r0, r2, r3}\n mov r2, sp\n"
            "str r2, [r0, #64]\n"
            "bl takt_run\n ldr r0, [sp, #0]\n ldr r1, [sp, #8]\n str r1, [r0, #64]\n movs r0, #0\n"
            "add sp, #" SAVED "\n pop {pc}\n"
            "takt_out: pop {r1, r2, r3}\n str r3, [r1, #64]\n" POP_HIGH "pop {r4-r7, pc}");
}
NAKED HIDDEN void takt_leave(mem m, u32 code)
{
    __asm__("ldr r2, [r0, #64]\n mov sp, r2\n movs r0, r1\n b takt_out");
}
#elif defined(__riscv) && __riscv_xlen == 32
NAKED EXPORT u32 takt_enter(mem m, u32 number)
{
    __asm__("addi sp, sp, -64\n sw ra, 0(sp)\n sw s0, 4(sp)\n sw s1, 8(sp)\n sw s2, 12(sp)\n"
            "sw s3, 16(sp)\n sw s4, 20(sp)\n sw s5, 24(sp)\n sw s6, 28(sp)\n sw s7, 32(sp)\n"
            "sw s8, 36(sp)\n sw s9, 40(sp)\n sw s10, 44(sp)\n sw s11, 48(sp)\n"
            "lw t0, 64(a0)\n sw t0, 52(sp)\n sw a0, 56(sp)\n sw sp, 64(a0)\n"
            "call takt_run\n li a0, 0\n"
            "takt_out: lw t1, 56(sp)\n lw t0, 52(sp)\n sw t0, 64(t1)\n"
            "lw ra, 0(sp)\n lw s0, 4(sp)\n lw s1, 8(sp)\n lw s2, 12(sp)\n lw s3, 16(sp)\n"
            "lw s4, 20(sp)\n lw s5, 24(sp)\n lw s6, 28(sp)\n lw s7, 32(sp)\n lw s8, 36(sp)\n"
            "lw s9, 40(sp)\n lw s10, 44(sp)\n lw s11, 48(sp)\n addi sp, sp, 64\n ret");
}
NAKED HIDDEN void takt_leave(mem m, u32 code)
{
    __asm__("lw sp, 64(a0)\n mv a0, a1\n j takt_out");
}
#elif defined(__xtensa__)
/* In C, for both ways of calling that these processors have: gcc knows how windows of registers are
 * left. The header notes where on the stack it is written where to go. */
typedef struct {
    void *to[5];
    u32 code;
    uptr before;
    mem image;
} takt_way;
EXPORT u32 takt_enter(mem m, u32 number)
{
    volatile takt_way way;
    way.code = 0;
    way.before = NATIVE(m);
    way.image = m;
    NATIVE(m) = (uptr)&way;
    if (!__builtin_setjmp((void **)way.to))
        takt_run(m, number);
    NATIVE(way.image) = way.before;
    return way.code;
}
HIDDEN void takt_leave(mem m, u32 code)
{
    takt_way *way = (takt_way *)NATIVE(m);
    way->code = code;
    __builtin_longjmp(way->to, 1);
}
#else
#error "the native engine has no entry and exit for this processor yet"
#endif

COLD void fault(mem m, u32 code, u32 pos)
{
    FAULT_AT(m) = pos;
    takt_leave(m, code);
}

/* `left`: what is left of the release's budget of back-edges. */
INLINE void back_edge(mem m, i32 left, u32 pos)
{
    if (unlikely(left < 0))
        fault(m, BUDGET, pos);
}

/* In a loop that owes stores to the image (number n), a fault makes them first, at fail_n. */
#define FAIL(n, code, pos)                                                                        \
    {                                                                                             \
        fail_code_##n = code;                                                                     \
        fail_pos_##n = pos;                                                                       \
        __asm__ volatile(""); /* here, not ahead of the test */                                   \
        goto fail_##n;                                                                            \
    }
#define BACK_EDGE(n, left, pos) do { if (unlikely((left) < 0)) FAIL(n, BUDGET, pos) } while (0)

/* --- memory ---------------------------------------------------------------------------------
 *
 * The compiler may call these by their names; there is no C library. */

#define OWN __attribute__((used, noinline, visibility("hidden")))

#ifdef __ARM_ARCH_6M__
/* Words where both are aligned, bytes four at a time where not. */
__asm__(".section .text.takt_memory, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".global memmove\n .global memcpy\n .thumb_func\n memmove:\n"
        "cmp r0, r1\n bls 1f\n adds r3, r1, r2\n cmp r0, r3\n bhs 1f\n"
        "cmp r2, #0\n beq 9f\n 8: subs r2, #1\n ldrb r3, [r1, r2]\n strb r3, [r0, r2]\n bne 8b\n 9: bx lr\n"
        ".thumb_func\n memcpy:\n 1: mov r12, r0\n push {r4-r6, lr}\n"
        "movs r3, r0\n orrs r3, r1\n lsls r3, #30\n bne 4f\n"
        "subs r2, #16\n bcc 2f\n"
        "1: ldmia r1!, {r3-r6}\n stmia r0!, {r3-r6}\n subs r2, #16\n bcs 1b\n"
        "2: adds r2, #12\n bcc 3f\n"
        "1: ldmia r1!, {r3}\n stmia r0!, {r3}\n subs r2, #4\n bcs 1b\n"
        "3: adds r2, #4\n"
        "4: subs r2, #4\n bcc 5f\n"
        "1: ldrb r3, [r1]\n strb r3, [r0]\n ldrb r3, [r1, #1]\n strb r3, [r0, #1]\n"
        "ldrb r3, [r1, #2]\n strb r3, [r0, #2]\n ldrb r3, [r1, #3]\n strb r3, [r0, #3]\n"
        "adds r1, #4\n adds r0, #4\n subs r2, #4\n bcs 1b\n"
        "5: adds r2, #4\n beq 6f\n"
        "1: ldrb r3, [r1]\n strb r3, [r0]\n adds r1, #1\n adds r0, #1\n subs r2, #1\n bne 1b\n"
        "6: mov r0, r12\n pop {r4-r6, pc}\n"
        ".global memcmp\n .thumb_func\n memcmp:\n"
        "push {r4, lr}\n subs r2, #4\n bcc 2f\n"
        "1: ldrb r3, [r0]\n ldrb r4, [r1]\n subs r3, r4\n bne 9f\n"
        "ldrb r3, [r0, #1]\n ldrb r4, [r1, #1]\n subs r3, r4\n bne 9f\n"
        "ldrb r3, [r0, #2]\n ldrb r4, [r1, #2]\n subs r3, r4\n bne 9f\n"
        "ldrb r3, [r0, #3]\n ldrb r4, [r1, #3]\n subs r3, r4\n bne 9f\n"
        "adds r0, #4\n adds r1, #4\n subs r2, #4\n bcs 1b\n"
        "2: adds r2, #4\n beq 8f\n"
        "1: ldrb r3, [r0]\n ldrb r4, [r1]\n subs r3, r4\n bne 9f\n"
        "adds r0, #1\n adds r1, #1\n subs r2, #1\n bne 1b\n"
        "8: movs r3, #0\n 9: movs r0, r3\n pop {r4, pc}\n .text\n");
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *memmove(void *to, const void *from, __SIZE_TYPE__ n);
int memcmp(const void *one, const void *other, __SIZE_TYPE__ n);
#else
OWN void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
    u8 *t = to;
    const u8 *f = from;
    if ((((uptr)t | (uptr)f) & 3) == 0)
        for (; n >= 4; n -= 4, t += 4, f += 4)
            U32(t) = U32(f);
    while (n--) {
        *t++ = *f++;
        __asm__ volatile("" ::: "memory");  /* or this loop is taken for a memcpy */
    }
    return to;
}

OWN void *memmove(void *to, const void *from, __SIZE_TYPE__ n)
{
    u8 *t = to;
    const u8 *f = from;
    if (t <= f || t >= f + n)
        return memcpy(to, from, n);
    while (n--) {
        t[n] = f[n];
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

OWN int memcmp(const void *one, const void *other, __SIZE_TYPE__ n)
{
    const u8 *a = one, *b = other;
    for (; n--; a++, b++)
        if (*a != *b)
            return *a - *b;
    return 0;
}
#endif

OWN void *memset(void *to, int value, __SIZE_TYPE__ n)
{
    u8 *t = to;
    u32 four = (u8)value * 0x01010101u;
    if (((uptr)t & 3) == 0)
        for (; n >= 4; n -= 4, t += 4) {
            U32(t) = four;
            __asm__ volatile("" ::: "memory");
        }
    while (n--) {
        *t++ = (u8)value;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

/* --- integers ------------------------------------------------------------------------------- */

#define CHECKS(T)                                                                                 \
    INLINE T check_##T(mem m, T x, T low, T high, u32 code, u32 pos)                              \
    {                                                                                             \
        if (unlikely(x < low || x > high))                                                        \
            fault(m, code, pos);                                                                  \
        return x;                                                                                 \
    }
CHECKS(u8) CHECKS(u16) CHECKS(u32) CHECKS(u64) CHECKS(i8) CHECKS(i16) CHECKS(i32) CHECKS(i64)

#define CHECK(n, T, x, low, high, code, pos)                                                      \
    ({                                                                                            \
        T v_ = x;                                                                                 \
        if (unlikely(v_ < low || v_ > high))                                                      \
            FAIL(n, code, pos)                                                                    \
        v_;                                                                                       \
    })
#define NOT_NULL(n, x, pos)                                                                       \
    ({                                                                                            \
        u32 v_ = x;                                                                               \
        if (unlikely(!v_))                                                                        \
            FAIL(n, NULL_REFERENCE, pos)                                                          \
        v_;                                                                                       \
    })

INLINE u32 not_null(mem m, u32 x, u32 pos)
{
    if (unlikely(!x))
        fault(m, NULL_REFERENCE, pos);
    return x;
}

#ifdef __ARM_ARCH_6M__
/* By the divider of soft.h, which gives the minimum for minimum / -1. C would have the compiler put
 * multiplications in the place of divisions by constants, which cost more here. */
__attribute__((const)) u64 __aeabi_idivmod(i32 a, i32 b);
__attribute__((const)) u64 __aeabi_uidivmod(u32 a, u32 b);
#define QUOTIENT_i32(a, b) ((i32)__aeabi_idivmod(a, b))
#define REST_i32(a, b) ((i32)(__aeabi_idivmod(a, b) >> 32))
#define QUOTIENT_u32(a, b) ((u32)__aeabi_uidivmod(a, b))
#define REST_u32(a, b) ((u32)(__aeabi_uidivmod(a, b) >> 32))
#else
#define QUOTIENT_i32(a, b) ((b) == -1 ? -(a) : (a) / (b))
#define REST_i32(a, b) ((b) == -1 ? 0 : (a) % (b))
#define QUOTIENT_u32(a, b) ((a) / (b))
#define REST_u32(a, b) ((a) % (b))
#endif
#define QUOTIENT_i64(a, b) ((b) == -1 ? -(a) : (a) / (b))
#define REST_i64(a, b) ((b) == -1 ? 0 : (a) % (b))
#define QUOTIENT_u64(a, b) ((a) / (b))
#define REST_u64(a, b) ((a) % (b))

#define DIVISION_OF(T, WIDE)                                                                      \
    INLINE T div_##T(mem m, T a, T b, u32 pos)                                                    \
    {                                                                                             \
        if (unlikely(!b))                                                                         \
            fault(m, DIVISION, pos);                                                              \
        return (T)QUOTIENT_##WIDE(a, b);                                                          \
    }                                                                                             \
    INLINE T mod_##T(mem m, T a, T b, u32 pos)                                                    \
    {                                                                                             \
        if (unlikely(!b))                                                                         \
            fault(m, DIVISION, pos);                                                              \
        return (T)REST_##WIDE(a, b);                                                              \
    }
DIVISION_OF(i8, i32) DIVISION_OF(i16, i32) DIVISION_OF(i32, i32) DIVISION_OF(i64, i64)
DIVISION_OF(u8, u32) DIVISION_OF(u16, u32) DIVISION_OF(u32, u32) DIVISION_OF(u64, u64)

#define DIVIDED(n, WHAT, T, WIDE, a, b, pos)                                                      \
    ({                                                                                            \
        T v_ = a, w_ = b;                                                                         \
        if (unlikely(!w_))                                                                        \
            FAIL(n, DIVISION, pos)                                                                \
        (T)WHAT##_##WIDE(v_, w_);                                                                 \
    })

/* x / (2^shift * a * b) for divisors that are known: 64 by 16 bits in steps of 16 bits. */
INLINE u64 div16_u64(u64 x, u32 d)
{
    u32 high = x >> 32, low = (u32)x;
    if (!high)
        return QUOTIENT_u32(low, d);
    u32 q1 = QUOTIENT_u32(high, d), rest = high - q1 * d;
    u32 n = rest << 16 | low >> 16, q2 = QUOTIENT_u32(n, d);
    rest = n - q2 * d;
    n = rest << 16 | (low & 0xFFFF);
    return (u64)q1 << 32 | q2 << 16 | QUOTIENT_u32(n, d);
}
ROUTINE u64 div_by(u64 x, u32 shift, u32 a, u32 b)
{
    x = div16_u64(x >> shift, a);
    return b == 1 ? x : div16_u64(x, b);
}
INLINE i64 sdiv_by(i64 x, u32 shift, u32 a, u32 b)
{
    return x < 0 ? -(i64)div_by(-(u64)x, shift, a, b) : (i64)div_by(x, shift, a, b);
}

/* Shifts work on the unsigned type U of the operand; the count n was checked not to be negative. */
#define SHIFTS(U)                                                                                 \
    INLINE U shl_##U(U x, u64 n) { return n < 8 * sizeof(U) ? (U)(x << n) : 0; }                  \
    INLINE U shr_##U(U x, u64 n) { return n < 8 * sizeof(U) ? (U)(x >> n) : 0; }                  \
    INLINE U rol_##U(U x, u64 n)                                                                  \
    {                                                                                             \
        u32 k = n & (8 * sizeof(U) - 1);                                                          \
        return (U)(x << k) | (U)(x >> (-k & (8 * sizeof(U) - 1)));                                \
    }                                                                                             \
    INLINE U ror_##U(U x, u64 n) { return rol_##U(x, -(n & (8 * sizeof(U) - 1))); }               \
    INLINE U swap_##U(U x)                                                                        \
    {                                                                                             \
        U y = 0;                                                                                  \
        for (u32 k = 0; k < sizeof(U); k++, x = (U)((u64)x >> 8))                                 \
            y = (U)((u64)y << 8 | (x & 255));                                                     \
        return y;                                                                                 \
    }                                                                                             \
    ROUTINE U bcd_to_##U(U x)                                                                     \
    {                                                                                             \
        U value = 0, place = 1;                                                                   \
        for (; x; x = (U)(x >> 4), place = (U)(place * 10))                                       \
            value = (U)(value + (x & 15) * place);                                                \
        return value;                                                                             \
    }                                                                                             \
    ROUTINE U to_bcd_##U(U x)                                                                     \
    {                                                                                             \
        U value = 0;                                                                              \
        for (u32 n = 0; n < 8 * sizeof(U); n += 4, x = (U)(x / 10))                               \
            value |= (U)((U)(x % 10) << n);                                                       \
        return value;                                                                             \
    }
SHIFTS(u8) SHIFTS(u16) SHIFTS(u32) SHIFTS(u64)

INLINE i64 count(mem m, i64 n, u32 pos)
{
    if (unlikely(n < 0))
        fault(m, SHIFT, pos);
    return n;
}

#define COUNT(n, x, pos)                                                                          \
    ({                                                                                            \
        i64 v_ = x;                                                                               \
        if (unlikely(v_ < 0))                                                                     \
            FAIL(n, SHIFT, pos)                                                                   \
        v_;                                                                                       \
    })

/* --- REAL and LREAL ------------------------------------------------------------------------- */

INLINE u32 bits_f32(f32 x) { union { f32 f; u32 n; } v = { .f = x }; return v.n; }
INLINE u64 bits_f64(f64 x) { union { f64 f; u64 n; } v = { .f = x }; return v.n; }
INLINE f32 f32_of_bits(u32 n) { union { u32 n; f32 f; } v = { .n = n }; return v.f; }
INLINE f64 f64_of_bits(u64 n) { union { u64 n; f64 f; } v = { .n = n }; return v.f; }

/* The pattern that is stored: every NaN is the canonical one. */
INLINE u32 stored_f32(f32 x)
{
    u32 n = bits_f32(x);
    return unlikely((n & 0x7FFFFFFF) > 0x7F800000) ? 0x7FC00000 : n;
}
INLINE u64 stored_f64(f64 x)
{
    u64 n = bits_f64(x);
    return unlikely((n & ~(1ull << 63)) > 0x7FF0000000000000ull) ? 0x7FF8000000000000ull : n;
}

#if defined(__x86_64__) || defined(__aarch64__) || defined(__xtensa__)
INLINE f32 quotient_f32(f32 a, f32 b) { return a / b; }
INLINE f64 quotient_f64(f64 a, f64 b) { return a / b; }
#else
/* The routines that zig brings along round a subnormal quotient wrongly, or make it 0. Where theirs is
 * below the normal numbers, it is made again: digit by digit, to the last place that there is. */
#define LOW_QUOTIENT(F, U, WIDTH, INFINITE, BIAS)                                              \
    ROUTINE F low_quotient_##F(F a, F b)                                                          \
    {                                                                                             \
        const U hidden = (U)1 << WIDTH, sign = (U)1 << (8 * sizeof(U) - 1);                       \
        U m = bits_##F(a) & ~sign, n = bits_##F(b) & ~sign, q = 0;                                \
        U negative = (bits_##F(a) ^ bits_##F(b)) & sign;                                          \
        if (!m || n == INFINITE)                                                                  \
            return F##_of_bits(negative);                                                         \
        i32 places = BIAS + WIDTH;                                                                \
        places += (i32)(m >> WIDTH ?: 1) - (i32)(n >> WIDTH ?: 1);                                \
        m = (m & (hidden - 1)) | (m >> WIDTH ? hidden : 0);                                       \
        n = (n & (hidden - 1)) | (n >> WIDTH ? hidden : 0);                                       \
        for (; !(m & hidden); m <<= 1)                                                            \
            places--;                                                                             \
        for (; !(n & hidden); n <<= 1)                                                            \
            places++;                                                                             \
        for (n <<= 1; places > 0; places--) {                                                     \
            m <<= 1;                                                                              \
            q <<= 1;                                                                              \
            if (m >= n) {                                                                         \
                m -= n;                                                                           \
                q++;                                                                              \
            }                                                                                     \
        }                                                                                         \
        if (!places && (2 * m > n || (2 * m == n && (q & 1))))                                    \
            q++;                                                                                  \
        return F##_of_bits(negative | q);                                                         \
    }                                                                                             \
    INLINE F quotient_##F(F a, F b)                                                               \
    {                                                                                             \
        F q = a / b;                                                                              \
        return unlikely(!(bits_##F(q) & INFINITE)) ? low_quotient_##F(a, b) : q;                  \
    }
#ifdef __ARM_ARCH_6M__
INLINE f32 quotient_f32(f32 a, f32 b) { return a / b; }  /* soft.h has one that is right */
#else
LOW_QUOTIENT(f32, u32, 23, 0x7F800000u, 127)
#endif
LOW_QUOTIENT(f64, u64, 52, 0x7FF0000000000000ull, 1023)
#endif

INLINE f32 abs_f32(f32 x) { return f32_of_bits(bits_f32(x) & 0x7FFFFFFF); }
INLINE f64 abs_f64(f64 x) { return f64_of_bits(bits_f64(x) & ~(1ull << 63)); }
INLINE f32 neg_f32(f32 x) { return f32_of_bits(bits_f32(x) ^ 0x80000000); }
INLINE f64 neg_f64(f64 x) { return f64_of_bits(bits_f64(x) ^ 1ull << 63); }

#if defined(__x86_64__) || defined(__aarch64__)
#define COMPARISONS(F)                                                                            \
    INLINE u32 eq_##F(F a, F b) { return a == b; }                                                \
    INLINE u32 lt_##F(F a, F b) { return a < b; }                                                 \
    INLINE u32 le_##F(F a, F b) { return a <= b; }
COMPARISONS(f32) COMPARISONS(f64)
#else
/* Without a floating point unit: patterns as integers that sort like the numbers, -0 as 0. (The
 * routines of the compiler have tables with addresses in them.) */
#define COMPARISONS(F, I, U, TOP)                                                                 \
    INLINE I sorted_##F(F x)                                                                      \
    {                                                                                             \
        I n = (I)bits_##F(x);                                                                     \
        return n < 0 ? (I)((U)1 << (8 * sizeof(I) - 1)) - n : n;                                  \
    }                                                                                             \
    INLINE u32 nan_##F(F x) { return (U)(bits_##F(x) << 1) > (U)(TOP << 1); }                     \
    INLINE u32 eq_##F(F a, F b) { return sorted_##F(a) == sorted_##F(b) && !nan_##F(a); }         \
    INLINE u32 lt_##F(F a, F b)                                                                   \
    {                                                                                             \
        return sorted_##F(a) < sorted_##F(b) && !nan_##F(a) && !nan_##F(b);                       \
    }                                                                                             \
    INLINE u32 le_##F(F a, F b)                                                                   \
    {                                                                                             \
        return sorted_##F(a) <= sorted_##F(b) && !nan_##F(a) && !nan_##F(b);                      \
    }
COMPARISONS(f32, i32, u32, 0x7F800000u)
COMPARISONS(f64, i64, u64, 0x7FF0000000000000ull)
#endif
INLINE u32 ne_f32(f32 a, f32 b) { return !eq_f32(a, b); }
INLINE u32 ne_f64(f64 a, f64 b) { return !eq_f64(a, b); }
INLINE u32 gt_f32(f32 a, f32 b) { return lt_f32(b, a); }
INLINE u32 gt_f64(f64 a, f64 b) { return lt_f64(b, a); }
INLINE u32 ge_f32(f32 a, f32 b) { return le_f32(b, a); }
INLINE u32 ge_f64(f64 a, f64 b) { return le_f64(b, a); }
INLINE u32 any_f32(f32 x) { return bits_f32(x) << 1 != 0; }
INLINE u32 any_f64(f64 x) { return bits_f64(x) << 1 != 0; }
INLINE f32 min_f32(f32 a, f32 b) { return lt_f32(a, b) ? a : b; }
INLINE f32 max_f32(f32 a, f32 b) { return lt_f32(b, a) ? a : b; }
INLINE f64 min_f64(f64 a, f64 b) { return lt_f64(a, b) ? a : b; }
INLINE f64 max_f64(f64 a, f64 b) { return lt_f64(b, a) ? a : b; }

/* |x| as an integer: to nearest, ties to even, or towards zero; saturates. */
ROUTINE u32 size_f32(u32 bits, u32 truncate)
{
    u32 e = bits >> 23 & 0xFF, n = bits & 0x7FFFFF;
    if (e < 126)
        return 0;
    n |= 0x800000;
    if (e >= 150)
        return e > 158 ? 0xFFFFFFFF : n << (e - 150);
    u32 s = 150 - e, q = s < 32 ? n >> s : 0, rest = n << (32 - s);
    if (!truncate && (rest > 0x80000000 || (rest == 0x80000000 && (q & 1))))
        q++;
    return q;
}

ROUTINE u64 size_f64(u64 bits, u32 truncate)
{
    u32 e = bits >> 52 & 0x7FF;
    u64 n = bits & 0xFFFFFFFFFFFFFull;
    if (e < 1022)
        return 0;
    n |= 1ull << 52;
    if (e >= 1075)
        return e > 1086 ? ~0ull : n << (e - 1075);
    u32 s = 1075 - e;
    u64 q = n >> s, rest = n << (64 - s);
    if (!truncate && (rest > 1ull << 63 || (rest == 1ull << 63 && (q & 1))))
        q++;
    return q;
}

INLINE u64 size64_f32(u32 bits, u32 truncate)
{
    u32 e = bits >> 23 & 0xFF;
    if (e <= 158)
        return size_f32(bits, truncate);
    return e > 190 ? ~0ull : (u64)(bits & 0x7FFFFF | 0x800000) << (e - 150);
}

#define TO_INTEGER(F, S, T, U, LOW, HIGH, NAN_ABOVE)                                              \
    INLINE T F##_to_##T(F x, u32 truncate)                                                        \
    {                                                                                             \
        __typeof__(bits_##F(x)) n = bits_##F(x), sign = n >> (8 * sizeof n - 1);                  \
        if ((n & ~((__typeof__(n))1 << (8 * sizeof n - 1))) > NAN_ABOVE)                          \
            return 0;                                                                             \
        U size = S(n, truncate);                                                                  \
        if (sign)                                                                                 \
            return size > (U)0 - (U)(LOW) ? (T)(LOW) : (T)((U)0 - size);                          \
        return size > (U)(HIGH) ? (T)(HIGH) : (T)size;                                            \
    }
#define I64_LOW (-0x7FFFFFFFFFFFFFFFll - 1)
TO_INTEGER(f32, size_f32, i8, u32, -128, 127, 0x7F800000)
TO_INTEGER(f32, size_f32, i16, u32, -32768, 32767, 0x7F800000)
TO_INTEGER(f32, size_f32, i32, u32, (-0x7FFFFFFF - 1), 0x7FFFFFFF, 0x7F800000)
TO_INTEGER(f32, size64_f32, i64, u64, I64_LOW, 0x7FFFFFFFFFFFFFFFll, 0x7F800000)
TO_INTEGER(f32, size_f32, u8, u32, 0, 255, 0x7F800000)
TO_INTEGER(f32, size_f32, u16, u32, 0, 65535, 0x7F800000)
TO_INTEGER(f32, size_f32, u32, u32, 0, 0xFFFFFFFFu, 0x7F800000)
TO_INTEGER(f32, size64_f32, u64, u64, 0, ~0ull, 0x7F800000)
TO_INTEGER(f64, size_f64, i8, u64, -128, 127, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, i16, u64, -32768, 32767, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, i32, u64, (-0x7FFFFFFFll - 1), 0x7FFFFFFF, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, i64, u64, I64_LOW, 0x7FFFFFFFFFFFFFFFll, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, u8, u64, 0, 255, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, u16, u64, 0, 65535, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, u32, u64, 0, 0xFFFFFFFFull, 0x7FF0000000000000ull)
TO_INTEGER(f64, size_f64, u64, u64, 0, ~0ull, 0x7FF0000000000000ull)

/* Down or up to a whole number; zero keeps its sign. */
ROUTINE f32 whole_f32(f32 x, u32 up)
{
    u32 n = bits_f32(x), e = n >> 23 & 0xFF, negative = n >> 31;
    if (e >= 150)
        return x;
    if (e < 127) {
        if (!(n & 0x7FFFFFFF) || up == negative)
            return f32_of_bits(n & 0x80000000);
        return negative ? -1.0f : 1.0f;
    }
    u32 part = 0x7FFFFF >> (e - 127);
    if ((n & part) && up != negative)
        n += part;
    return f32_of_bits(n & ~part);
}
ROUTINE f64 whole_f64(f64 x, u32 up)
{
    u64 n = bits_f64(x);
    u32 e = n >> 52 & 0x7FF, negative = n >> 63;
    if (e >= 1075)
        return x;
    if (e < 1023) {
        if (!(n << 1) || up == negative)
            return f64_of_bits(n & 1ull << 63);
        return negative ? -1.0 : 1.0;
    }
    u64 part = 0xFFFFFFFFFFFFFull >> (e - 1023);
    if ((n & part) && up != negative)
        n += part;
    return f64_of_bits(n & ~part);
}
INLINE f32 floor_f32(f32 x) { return whole_f32(x, 0); }
INLINE f32 ceil_f32(f32 x) { return whole_f32(x, 1); }
INLINE f64 floor_f64(f64 x) { return whole_f64(x, 0); }
INLINE f64 ceil_f64(f64 x) { return whole_f64(x, 1); }

#if defined(__x86_64__) || defined(__aarch64__)
INLINE f32 sqrt_f32(f32 x) { return __builtin_sqrtf(x); }
INLINE f64 sqrt_f64(f64 x) { return __builtin_sqrt(x); }
#else
/* Digit by digit, in integers: the root of a number with two bits for each bit of the result and one
 * more, whose rest tells what the rounding must know. */
ROUTINE f32 sqrt_f32(f32 x)
{
    u32 n = bits_f32(x);
    i32 e = n >> 23;
    if (!(n & 0x7FFFFFFF) || n == 0x7F800000)
        return x;
    if (n > 0x7F800000)
        return f32_of_bits(0x7FC00000);
    n &= 0x7FFFFF;
    if (e)
        n |= 0x800000;
    else
        for (e = 1; !(n & 0x800000); e--)
            n <<= 1;
    e -= 127;
    if (e & 1)
        n <<= 1;
    e >>= 1;
    /* n is 1 to 4 times 2^23; 25 bits of its root. */
    u32 root = 0, rest = 0;
    for (u32 k = 0; k < 25; k++) {
        rest = rest << 2 | (n >> 23 & 3);
        n = (n & 0x7FFFFF) << 2;
        u32 t = root << 2 | 1;
        root <<= 1;
        if (rest >= t) {
            rest -= t;
            root |= 1;
        }
    }
    u32 r = root >> 1;
    if ((root & 1) && (rest || (r & 1)))
        r++;
    return f32_of_bits(r + ((u32)(e + 126) << 23));
}
ROUTINE f64 sqrt_f64(f64 x)
{
    u64 n = bits_f64(x);
    i32 e = n >> 52;
    if (!(n << 1) || n == 0x7FF0000000000000ull)
        return x;
    if (n > 0x7FF0000000000000ull)
        return f64_of_bits(0x7FF8000000000000ull);
    n &= 0xFFFFFFFFFFFFFull;
    if (e)
        n |= 1ull << 52;
    else
        for (e = 1; !(n >> 52); e--)
            n <<= 1;
    e -= 1023;
    if (e & 1)
        n <<= 1;
    e >>= 1;
    u64 root = 0, rest = 0;
    for (u32 k = 0; k < 54; k++) {
        rest = rest << 2 | (n >> 52 & 3);
        n = (n & 0xFFFFFFFFFFFFFull) << 2;
        u64 t = root << 2 | 1;
        root <<= 1;
        if (rest >= t) {
            rest -= t;
            root |= 1;
        }
    }
    u64 r = root >> 1;
    if ((root & 1) && (rest || (r & 1)))
        r++;
    return f64_of_bits(r + ((u64)(e + 1022) << 52));
}
#endif
