/* What gcc calls for arithmetic on Xtensa and Debian's gcc for the ESP8266 does not bring (that chip
 * has it in its ROM). Written for the tests, to be right rather than fast; the gcc of an ESP32 has
 * its own. Comes behind a program: the types are those of rt.h. */

#define RT __attribute__((used, noinline))

RT u64 __umulsidi3(u32 a, u32 b)
{
    u32 al = a & 0xFFFF, ah = a >> 16, bl = b & 0xFFFF, bh = b >> 16;
    u32 low = al * bl, one = al * bh, other = ah * bl;
    u32 middle = (low >> 16) + (one & 0xFFFF) + (other & 0xFFFF);
    u32 high = ah * bh + (one >> 16) + (other >> 16) + (middle >> 16);
    return (u64)high << 32 | (middle << 16) | (low & 0xFFFF);
}
RT i64 __muldi3(i64 a, i64 b)
{
    u32 al = (u32)a, bl = (u32)b;
    u32 high = (u32)((u64)a >> 32) * bl + al * (u32)((u64)b >> 32);
    return (i64)(__umulsidi3(al, bl) + ((u64)high << 32));
}

static u64 divided(u64 a, u64 b, u64 *rest)
{
    u64 q = 0, r = 0;
    for (i32 k = 63; k >= 0; k--) {
        u64 top = r >> 63;
        r = r << 1 | (a >> k & 1);
        if (top || r >= b) {
            r -= b;
            q |= 1ull << k;
        }
    }
    *rest = r;
    return q;
}
RT u64 __udivdi3(u64 a, u64 b) { u64 r; return divided(a, b, &r); }
RT u64 __umoddi3(u64 a, u64 b) { u64 r; divided(a, b, &r); return r; }
static u64 size_of(i64 n) { return n < 0 ? -(u64)n : (u64)n; }
RT i64 __divdi3(i64 a, i64 b)
{
    u64 r, q = divided(size_of(a), size_of(b), &r);
    return (a < 0) != (b < 0) ? -(i64)q : (i64)q;
}
RT i64 __moddi3(i64 a, i64 b)
{
    u64 r;
    divided(size_of(a), size_of(b), &r);
    return a < 0 ? -(i64)r : (i64)r;
}
RT u32 __udivsi3(u32 a, u32 b) { return (u32)__udivdi3(a, b); }
RT u32 __umodsi3(u32 a, u32 b) { return (u32)__umoddi3(a, b); }
RT i32 __divsi3(i32 a, i32 b) { return (i32)__divdi3(a, b); }
RT i32 __modsi3(i32 a, i32 b) { return (i32)__moddi3(a, b); }

/* --- numbers: (-1)^sign * m * 2^e; kind 0 finite, 1 infinite, 2 NaN ------------------------------ */

typedef struct { u32 sign, kind; i32 e; u64 m; } number;

static number parts(u64 n, u32 bits, i32 bias)
{
    u64 mask = (1ull << bits) - 1, top = bias == 1023 ? 0x7FF : 0xFF, e = n >> bits & top;
    number x = { (u32)(n >> (bits + (bias == 1023 ? 11 : 8))), 0, (i32)e - bias - (i32)bits, n & mask };
    if (e == top)
        x.kind = x.m ? 2 : 1;
    else if (e)
        x.m |= 1ull << bits;
    else
        x.e++;
    return x;
}

/* To nearest, ties to even. The last bit of m may be sticky where m has 62 bits or more. */
static u64 whole(number x, u32 bits, i32 bias)
{
    u64 top = bias == 1023 ? 0x7FF : 0xFF, sign = (u64)x.sign << (bits + (bias == 1023 ? 11 : 8));
    if (x.kind == 2)
        return top << bits | 1ull << (bits - 1);
    if (x.kind == 1)
        return sign | top << bits;
    if (!x.m)
        return sign;
    while (!(x.m >> 62)) {
        x.m <<= 1;
        x.e--;
    }
    i32 size = x.m >> 63 ? 64 : 63, drop = size - (i32)bits - 1, least = 1 - bias - (i32)bits;
    if (x.e + drop < least)
        drop = least - x.e;
    u64 m = 0, half, low;
    if (drop > 64)
        return sign;
    if (drop == 64) {
        half = 1ull << 63;
        low = x.m;
    } else {
        half = 1ull << (drop - 1);
        low = x.m & (2 * half - 1);
        m = x.m >> drop;
    }
    m += low > half || (low == half && (m & 1));
    i32 e = x.e + drop - least;
    u64 n = m >> bits ? m + ((u64)e << bits) : m;
    return n >= top << bits ? sign | top << bits : sign | n;
}

static u64 shifted(u64 m, u32 by) /* with a sticky last bit */
{
    return !by ? m : by > 63 ? m != 0 : m >> by | ((m & ((1ull << by) - 1)) != 0);
}

static number sum(number a, number b)
{
    if (a.kind == 2 || b.kind == 2 || (a.kind && b.kind && a.sign != b.sign))
        return (number){ 0, 2 };
    if (a.kind || b.kind)
        return a.kind ? a : b;
    if (!a.m || !b.m) {
        number x = a.m ? a : b;
        x.sign = a.m ? a.sign : b.m ? b.sign : a.sign & b.sign;
        return x;
    }
    for (; !(a.m >> 61); a.e--)
        a.m <<= 1;
    for (; !(b.m >> 61); b.e--)
        b.m <<= 1;
    if (a.e < b.e) {
        number t = a;
        a = b;
        b = t;
    }
    b.m = shifted(b.m, (u32)(a.e - b.e));
    if (a.sign == b.sign)
        a.m += b.m;
    else if (a.m > b.m)
        a.m -= b.m;
    else {
        a.sign = b.m > a.m ? b.sign : 0;
        a.m = b.m - a.m;
    }
    return a;
}

static number product(number a, number b)
{
    u32 sign = a.sign ^ b.sign;
    if (a.kind == 2 || b.kind == 2 || (a.kind && !b.kind && !b.m) || (b.kind && !a.kind && !a.m))
        return (number){ 0, 2 };
    if (a.kind || b.kind)
        return (number){ sign, 1 };
    u32 al = (u32)a.m, ah = (u32)(a.m >> 32), bl = (u32)b.m, bh = (u32)(b.m >> 32);
    u64 low = __umulsidi3(al, bl), one = __umulsidi3(al, bh), other = __umulsidi3(ah, bl);
    u64 middle = (low >> 32) + (u32)one + (u32)other;
    u64 high = __umulsidi3(ah, bh) + (one >> 32) + (other >> 32) + (middle >> 32);
    u64 rest = middle << 32 | (u32)low;
    number x = { sign, 0, a.e + b.e + 64, high };
    for (; (high || rest) && !(x.m >> 62); x.e--) {
        x.m = x.m << 1 | rest >> 63;
        rest <<= 1;
    }
    x.m |= rest != 0;
    return x;
}

static number quotient(number a, number b)
{
    u32 sign = a.sign ^ b.sign;
    if (a.kind == 2 || b.kind == 2 || (a.kind && b.kind) || (!a.kind && !b.kind && !a.m && !b.m))
        return (number){ 0, 2 };
    if (a.kind || (!b.kind && !b.m))
        return (number){ sign, 1 };
    if (b.kind || !a.m)
        return (number){ sign, 0 };
    for (; !(a.m >> 61); a.e--)
        a.m <<= 1;
    for (; !(b.m >> 61); b.e--)
        b.m <<= 1;
    u64 q = a.m >= b.m, r = a.m >= b.m ? a.m - b.m : a.m;
    for (u32 k = 0; k < 62; k++) {
        r <<= 1;
        q <<= 1;
        if (r >= b.m) {
            r -= b.m;
            q |= 1;
        }
    }
    return (number){ sign, 0, a.e - b.e - 62, q | (r != 0) };
}

static number of_integer(u64 m, u32 sign)
{
    number x = { sign, 0, 0, m };
    if (m >> 63) {
        x.m = m >> 1 | (m & 1);
        x.e = 1;
    }
    return x;
}

#define SINGLE(x) parts(bits_f32(x), 23, 127)
#define DOUBLE(x) parts(bits_f64(x), 52, 1023)
#define TO_SINGLE(x) f32_of_bits((u32)whole(x, 23, 127))
#define TO_DOUBLE(x) f64_of_bits(whole(x, 52, 1023))

RT f32 __mulsf3(f32 a, f32 b) { return TO_SINGLE(product(SINGLE(a), SINGLE(b))); }
RT f32 __divsf3(f32 a, f32 b) { return TO_SINGLE(quotient(SINGLE(a), SINGLE(b))); }
RT f32 __addsf3(f32 a, f32 b) { return TO_SINGLE(sum(SINGLE(a), SINGLE(b))); }
RT f32 __subsf3(f32 a, f32 b) { return TO_SINGLE(sum(SINGLE(a), SINGLE(neg_f32(b)))); }
RT f64 __muldf3(f64 a, f64 b) { return TO_DOUBLE(product(DOUBLE(a), DOUBLE(b))); }
RT f64 __divdf3(f64 a, f64 b) { return TO_DOUBLE(quotient(DOUBLE(a), DOUBLE(b))); }
RT f64 __adddf3(f64 a, f64 b) { return TO_DOUBLE(sum(DOUBLE(a), DOUBLE(b))); }
RT f64 __subdf3(f64 a, f64 b) { return TO_DOUBLE(sum(DOUBLE(a), DOUBLE(neg_f64(b)))); }
RT f64 __extendsfdf2(f32 a) { return TO_DOUBLE(SINGLE(a)); }
RT f32 __truncdfsf2(f64 a) { return TO_SINGLE(DOUBLE(a)); }
RT f32 __floatunsisf(u32 n) { return TO_SINGLE(of_integer(n, 0)); }
RT f64 __floatunsidf(u32 n) { return TO_DOUBLE(of_integer(n, 0)); }
RT f32 __floatundisf(u64 n) { return TO_SINGLE(of_integer(n, 0)); }
RT f64 __floatundidf(u64 n) { return TO_DOUBLE(of_integer(n, 0)); }
RT f32 __floatsisf(i32 n) { return TO_SINGLE(of_integer(size_of(n), n < 0)); }
RT f64 __floatsidf(i32 n) { return TO_DOUBLE(of_integer(size_of(n), n < 0)); }
RT f32 __floatdisf(i64 n) { return TO_SINGLE(of_integer(size_of(n), n < 0)); }
RT f64 __floatdidf(i64 n) { return TO_DOUBLE(of_integer(size_of(n), n < 0)); }

#undef RT
#undef SINGLE
#undef DOUBLE
#undef TO_SINGLE
#undef TO_DOUBLE
