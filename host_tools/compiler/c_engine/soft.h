/* REAL without a floating point unit, for processors that multiply 32 bits into 32 (ARMv6-M): in
 * the place of the compiler's routines, with the same results (IEEE 754 binary32, to nearest). The
 * way of ordinary numbers is short; zeros, subnormal numbers, infinities and NaN take another one. */

#ifdef __ARM_ARCH_6M__

#define SIGN 0x80000000u
#define HIDDEN_BIT 0x800000u

/* The divider of the RP2040 (data sheet 2.3.1.5): eight cycles, shared by all code on the core. Where
 * an interrupt finds it in use (DIRTY), it puts back what it found. Quotient in r0, remainder in r1. */
__asm__(".section .text.takt_divide, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".global __aeabi_uidiv\n .global __aeabi_uidivmod\n .thumb_func\n"
        "__aeabi_uidiv:\n .thumb_func\n __aeabi_uidivmod:\n"
        "ldr r3, takt_sio\n ldr r2, [r3, #0x18]\n lsrs r2, #2\n bcs 2f\n"
        "1: str r0, [r3, #0]\n str r1, [r3, #4]\n b 3f\n 3: b 3f\n 3: b 3f\n 3: b 3f\n 3:\n"
        "ldr r1, [r3, #0x14]\n ldr r0, [r3, #0x10]\n bx lr\n"
        "2: push {r4-r7, lr}\n ldr r4, [r3, #0]\n ldr r5, [r3, #4]\n ldr r7, [r3, #0x14]\n"
        "ldr r6, [r3, #0x10]\n bl 1b\n"
        "str r4, [r3, #0]\n str r5, [r3, #4]\n str r7, [r3, #0x14]\n str r6, [r3, #0x10]\n"
        "pop {r4-r7, pc}\n"
        ".global __aeabi_idiv\n .global __aeabi_idivmod\n .thumb_func\n"
        "__aeabi_idiv:\n .thumb_func\n __aeabi_idivmod:\n"
        "ldr r3, takt_sio\n ldr r2, [r3, #0x18]\n lsrs r2, #2\n bcs 2f\n"
        "1: str r0, [r3, #8]\n str r1, [r3, #12]\n b 3f\n 3: b 3f\n 3: b 3f\n 3: b 3f\n 3:\n"
        "ldr r1, [r3, #0x14]\n ldr r0, [r3, #0x10]\n bx lr\n"
        "2: push {r4-r7, lr}\n ldr r4, [r3, #0]\n ldr r5, [r3, #4]\n ldr r7, [r3, #0x14]\n"
        "ldr r6, [r3, #0x10]\n bl 1b\n"
        "str r4, [r3, #0]\n str r5, [r3, #4]\n str r7, [r3, #0x14]\n str r6, [r3, #0x10]\n"
        "pop {r4-r7, pc}\n"
        ".balign 4\n takt_sio: .word 0xD0000060\n .text\n");
u64 __aeabi_idivmod(i32 a, i32 b);
u64 __aeabi_uidivmod(u32 a, u32 b);

/* A finite number is mantissa(n) * 2^power(n). */
INLINE i32 power(u32 n) { return (n << 1 >> 24 ?: 1) - 150; }
INLINE u32 mantissa(u32 n) { return (n & (HIDDEN_BIT - 1)) | (n << 1 >> 24 ? HIDDEN_BIT : 0); }
INLINE u32 is_special(u32 n) { return n << 1 >= 0xFF000000; }
INLINE u32 is_nan(u32 n) { return n << 1 > 0xFF000000; }
#define QUIET f32_of_bits(0x7FC00000)
#define ODD static __attribute__((noinline, minsize, cold, unused))

/* m * 2^e, to nearest, ties to even. */
ODD f32 packed(u32 sign, u64 m, i32 e)
{
    i32 size = 0, drop;
    for (u64 rest = m; rest; rest >>= 1)
        size++;
    drop = size - 24 > -149 - e ? size - 24 : -149 - e;
    if (drop > 63)
        m = 0;
    else if (drop > 0) {
        u64 half = 1ull << (drop - 1), low = m & (2 * half - 1);
        m >>= drop;
        m += low > half || (low == half && (m & 1));
    } else
        m <<= -drop;
    e += drop + 150;
    u32 n = (u32)m + (m & 0x1800000 ? (u32)(e - 1) << 23 : 0);
    return f32_of_bits(sign | (e > 255 || n >= 0x7F800000 ? 0x7F800000 : n));
}

ODD f32 odd_product(u32 a, u32 b)
{
    u32 sign = (a ^ b) & SIGN;
    if (is_nan(a) || is_nan(b))
        return QUIET;
    if (is_special(a) || is_special(b))
        return a << 1 && b << 1 ? f32_of_bits(sign | 0x7F800000) : QUIET;
    return packed(sign, (u64)mantissa(a) * mantissa(b), power(a) + power(b));
}

/* |a| >= |b| */
ODD f32 odd_sum(u32 a, u32 b)
{
    if (is_nan(a) || is_nan(b))
        return QUIET;
    if (is_special(a))
        return is_special(b) && a != b ? QUIET : f32_of_bits(a);
    u32 d = power(a) - power(b);
    u64 m = (u64)mantissa(a) << 38, n = (u64)mantissa(b) << 38;
    if (d > 62)
        n = n != 0;
    else if (d)
        n = n >> d | ((n & ((1ull << d) - 1)) != 0);
    m = (a ^ b) & SIGN ? m - n : m + n;
    return packed(m ? a & SIGN : a & b & SIGN, m, power(a) - 38);
}

ODD f32 odd_quotient(u32 a, u32 b)
{
    u32 sign = (a ^ b) & SIGN;
    if (is_nan(a) || is_nan(b))
        return QUIET;
    if (is_special(a))
        return is_special(b) ? QUIET : f32_of_bits(sign | 0x7F800000);
    if (is_special(b))
        return f32_of_bits(sign);
    u32 rest = mantissa(a), divisor = mantissa(b);
    if (!divisor)
        return rest ? f32_of_bits(sign | 0x7F800000) : QUIET;
    i32 e = power(a) - power(b) - 39;
    for (; rest && !(rest & HIDDEN_BIT); rest <<= 1)
        e--;
    for (; !(divisor & HIDDEN_BIT); divisor <<= 1)
        e++;
    u64 q = rest >= divisor;
    rest -= rest >= divisor ? divisor : 0;
    for (u32 k = 0; k < 38; k++) {
        rest <<= 1;
        q <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            q |= 1;
        }
    }
    return packed(sign, q << 1 | (rest != 0), e);
}

INLINE u32 rounded(u32 sign, i32 e, u32 m, u32 extra)
{
    /* m: a number with `extra` bits behind the 24 of the result, the last of them sticky. */
    u32 r = m >> extra, half = 1u << (extra - 1), low = m & (2 * half - 1);
    if (low > half || (low == half && (r & 1)))
        r++;
    return (sign | (u32)(e - 1) << 23) + r; /* a carry counts the exponent up, to infinity too */
}

HIDDEN f32 takt_odd_product(f32 x, f32 y) { return odd_product(bits_f32(x), bits_f32(y)); }
HIDDEN f32 takt_odd_quotient(f32 x, f32 y) { return odd_quotient(bits_f32(x), bits_f32(y)); }
HIDDEN f32 takt_odd_sum(f32 x, f32 y) { return odd_sum(bits_f32(x), bits_f32(y)); }

/* The ordinary ways. Rounding is the same in all: the bit behind the result goes to the carry; where
 * nothing is behind it, the result becomes even. lr and r12 keep the operands for the other ways. */
#define ROUND(m, result, other)                                                                   \
    "bcc 9f\n adds " result ", #1\n" m " bne 9f\n movs " other ", #1\n bics " result ", " other "\n"

__asm__(".section .text.takt_fmul, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".global __aeabi_fmul\n .thumb_func\n __aeabi_fmul:\n"
        "push {r4-r7, lr}\n mov lr, r0\n mov r12, r1\n"
        "movs r2, r0\n eors r2, r1\n lsrs r2, #31\n lsls r2, #31\n"
        "lsls r3, r0, #1\n lsrs r3, #24\n lsls r4, r1, #1\n lsrs r4, #24\n"
        "subs r5, r3, #1\n cmp r5, #254\n bhs 8f\n subs r5, r4, #1\n cmp r5, #254\n bhs 8f\n"
        "adds r3, r4\n movs r4, #1\n lsls r4, #31\n"
        "lsls r0, #8\n orrs r0, r4\n lsrs r0, #8\n lsls r1, #8\n orrs r1, r4\n lsrs r1, #8\n"
        "lsrs r4, r0, #16\n uxth r0, r0\n lsrs r5, r1, #16\n uxth r1, r1\n movs r6, r0\n"
        "muls r6, r1, r6\n muls r0, r5, r0\n muls r1, r4, r1\n muls r4, r5, r4\n"
        "lsls r4, #16\n adds r4, r0\n adds r4, r1\n lsrs r0, r6, #16\n adds r4, r0\n"
        "lsls r6, #16\n beq 1f\n movs r0, #1\n orrs r4, r0\n"
        "1: subs r3, #126\n cmp r4, #0\n bmi 2f\n lsls r4, #1\n subs r3, #1\n"
        "2: subs r3, #1\n blt 8f\n cmp r3, #254\n bge 7f\n"
        "lsls r3, #23\n orrs r2, r3\n lsrs r0, r4, #8\n"
        ROUND("lsls r4, #25\n", "r0", "r1")
        "9: adds r0, r2\n pop {r4-r7, pc}\n"
        "7: movs r0, #255\n lsls r0, #23\n orrs r0, r2\n pop {r4-r7, pc}\n"
        "8: mov r0, lr\n mov r1, r12\n bl takt_odd_product\n pop {r4-r7, pc}\n .text\n");

__asm__(".section .text.takt_fadd, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".global __aeabi_fadd\n .global __aeabi_fsub\n .thumb_func\n __aeabi_fsub:\n"
        "movs r2, #1\n lsls r2, #31\n eors r1, r2\n .thumb_func\n __aeabi_fadd:\n"
        "push {r4-r7, lr}\n lsls r2, r0, #1\n lsls r3, r1, #1\n cmp r2, r3\n bhs 1f\n"
        "movs r4, r0\n movs r0, r1\n movs r1, r4\n movs r4, r2\n movs r2, r3\n movs r3, r4\n"
        "1: mov lr, r0\n mov r12, r1\n lsrs r2, #24\n cmp r2, #255\n beq 8f\n"
        "lsrs r4, r3, #24\n beq 6f\n subs r3, r2, r4\n cmp r3, #26\n bhs 5f\n"
        "movs r4, r0\n eors r4, r1\n movs r7, #1\n lsls r7, #30\n"
        "lsls r5, r0, #9\n lsrs r5, #2\n orrs r5, r7\n lsls r6, r1, #9\n lsrs r6, #2\n orrs r6, r7\n"
        "lsrs r0, #31\n lsls r0, #31\n movs r1, #32\n subs r1, r3\n movs r7, r6\n lsrs r6, r3\n"
        "lsls r7, r1\n beq 2f\n movs r1, #1\n orrs r6, r1\n"
        "2: cmp r4, #0\n bmi 4f\n adds r5, r6\n bpl 3f\n"
        "movs r1, #1\n ands r1, r5\n lsrs r5, #1\n orrs r5, r1\n adds r2, #1\n cmp r2, #255\n beq 7f\n"
        "3: subs r2, #1\n lsls r2, #23\n orrs r0, r2\n lsrs r1, r5, #7\n"
        ROUND("lsls r5, #26\n", "r1", "r3")
        "9: adds r0, r1\n 5: pop {r4-r7, pc}\n"
        "4: subs r5, r6\n beq 4f\n lsrs r1, r5, #18\n bne 1f\n lsls r5, #12\n subs r2, #12\n"
        "1: lsrs r1, r5, #24\n bne 1f\n lsls r5, #6\n subs r2, #6\n"
        "1: lsls r1, r5, #1\n bmi 1f\n movs r5, r1\n subs r2, #1\n b 1b\n"
        "1: cmp r2, #0\n bgt 3b\n b 8f\n"
        "4: movs r0, #0\n pop {r4-r7, pc}\n"
        "6: cmp r3, #0\n bne 8f\n cmp r2, #0\n beq 8f\n pop {r4-r7, pc}\n" /* something + 0 */
        "7: lsls r1, r2, #23\n orrs r0, r1\n pop {r4-r7, pc}\n"
        "8: mov r0, lr\n mov r1, r12\n bl takt_odd_sum\n pop {r4-r7, pc}\n .text\n");

#define DIVIDE                                                                                    \
    "lsls r0, #8\n str r0, [r7, #0]\n str r1, [r7, #4]\n lsls r4, #8\n nop\n b 1f\n 1: b 1f\n"    \
    "1: b 1f\n 1: ldr r0, [r7, #0x14]\n ldr r5, [r7, #0x10]\n orrs r4, r5\n"

__asm__(".section .text.takt_fdiv, \"ax\", %progbits\n .balign 4\n .thumb\n"
        ".global __aeabi_fdiv\n .thumb_func\n __aeabi_fdiv:\n"
        "push {r4-r7, lr}\n mov lr, r0\n mov r12, r1\n"
        "movs r2, r0\n eors r2, r1\n lsrs r2, #31\n lsls r2, #31\n"
        "lsls r3, r0, #1\n lsrs r3, #24\n lsls r4, r1, #1\n lsrs r4, #24\n"
        "subs r5, r3, #1\n cmp r5, #254\n bhs 8f\n subs r5, r4, #1\n cmp r5, #254\n bhs 8f\n"
        "ldr r7, takt_divider\n ldr r5, [r7, #0x18]\n lsrs r5, #2\n bcs 8f\n" /* in use: another way */
        "subs r3, r4\n adds r3, #126\n movs r4, #1\n lsls r4, #31\n"
        "lsls r0, #8\n orrs r0, r4\n lsrs r0, #8\n lsls r1, #8\n orrs r1, r4\n lsrs r1, #8\n"
        "cmp r0, r1\n bhs 1f\n lsls r0, #1\n subs r3, #1\n"
        "1: cmp r3, #0\n blt 8f\n cmp r3, #254\n bge 7f\n"
        "subs r0, r1\n movs r4, #1\n" DIVIDE DIVIDE DIVIDE
        "lsls r4, #1\n cmp r0, #0\n beq 2f\n movs r5, #1\n orrs r4, r5\n"
        "2: lsls r3, #23\n orrs r2, r3\n lsrs r0, r4, #2\n"
        ROUND("lsls r4, #31\n", "r0", "r1")
        "9: adds r0, r2\n pop {r4-r7, pc}\n"
        "7: movs r0, #255\n lsls r0, #23\n orrs r0, r2\n pop {r4-r7, pc}\n"
        "8: mov r0, lr\n mov r1, r12\n bl takt_odd_quotient\n pop {r4-r7, pc}\n"
        ".balign 4\n takt_divider: .word 0xD0000060\n .text\n");

INLINE f32 of_size(u32 sign, u32 n)
{
    if (!n)
        return 0.0f;
    i32 e = 158;
    if (!(n >> 16)) {
        n <<= 16;
        e -= 16;
    }
    if (!(n >> 24)) {
        n <<= 8;
        e -= 8;
    }
    while (!(n & SIGN)) {
        n <<= 1;
        e--;
    }
    return f32_of_bits(rounded(sign, e, n, 8));
}
OWN f32 __aeabi_i2f(i32 n) { return n < 0 ? of_size(SIGN, -(u32)n) : of_size(0, n); }
OWN f32 __aeabi_ui2f(u32 n) { return of_size(0, n); }

#endif
