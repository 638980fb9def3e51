/* STRING and WSTRING for the native engine.
 *
 * A value is a view: where its characters are, and how many. Operations that only choose characters
 * give another view; those that make characters write them into room that the caller has on its stack
 * and that is sized at compile time. `u` is the size of a character, 1 or 2 bytes. Positions count from
 * 1, counts below 0 are 0, and what is outside of the string is cut off. */

typedef struct {
    const u8 *p;
    u32 n;
} str;

INLINE str str_load(mem at) { return (str){ at + 4, U16(at + 2) }; }
INLINE str str_const(const void *p, u32 n) { return (str){ p, n }; }

ROUTINE void str_store(mem at, str s, u32 u)
{
    u32 n = U16(at) < s.n ? U16(at) : s.n;
    U16(at + 2) = n;
    memmove(at + 4, s.p, n * u);
}

/* The characters moved into `room`, so that what they came from may change. */
ROUTINE str str_keep(u8 *room, str s, u32 u)
{
    memmove(room, s.p, s.n * u);
    return (str){ room, s.n };
}

INLINE u32 within(i64 n, u32 most) { return n < 0 ? 0 : n > most ? most : (u32)n; }

INLINE str str_left(str s, i64 n) { return (str){ s.p, within(n, s.n) }; }
INLINE str str_right(str s, i64 n, u32 u)
{
    u32 k = within(n, s.n);
    return (str){ s.p + (s.n - k) * u, k };
}
ROUTINE str str_mid(str s, i64 n, i64 pos, u32 u)
{
    /* Characters pos <= i < pos + n; what lies before the first one counts. */
    i64 start = pos < 1 ? 1 : pos;
    if (n <= 0 || start > s.n)
        return (str){ s.p, 0 };
    u64 end = (u64)pos + (u64)n; /* of two numbers below 2^63; negative where pos is */
    i64 last = pos > 0 ? (end > s.n ? (i64)s.n + 1 : (i64)end) : (i64)end;
    if (last > (i64)s.n + 1)
        last = (i64)s.n + 1;
    return last <= start ? (str){ s.p, 0 } : (str){ s.p + (start - 1) * u, (u32)(last - start) };
}

INLINE str str_concat(u8 *room, str a, str b, u32 u)
{
    memmove(room, a.p, a.n * u);
    memmove(room + a.n * u, b.p, b.n * u);
    return (str){ room, a.n + b.n };
}
ROUTINE str str_insert(u8 *room, str a, str b, i64 pos, u32 u)
{
    u32 at = within(pos, a.n);
    memmove(room, a.p, at * u);
    memmove(room + at * u, b.p, b.n * u);
    memmove(room + (at + b.n) * u, a.p + at * u, (a.n - at) * u);
    return (str){ room, a.n + b.n };
}
ROUTINE str str_replace(u8 *room, str a, str b, i64 n, i64 pos, u32 u)
{
    u32 start = within(pos < 1 ? 0 : pos - 1, a.n);
    u32 end = start;
    if (n > 0) {
        u64 behind = (u64)pos + (u64)n; /* first character behind what goes, from 1 */
        i64 last = pos > 0 ? (behind > a.n ? (i64)a.n + 1 : (i64)behind) : (i64)behind;
        u32 stop = within(last - 1, a.n);
        end = stop > start ? stop : start;
    }
    memmove(room, a.p, start * u);
    memmove(room + start * u, b.p, b.n * u);
    memmove(room + (start + b.n) * u, a.p + end * u, (a.n - end) * u);
    return (str){ room, start + b.n + a.n - end };
}

ROUTINE i32 str_find(str a, str b, u32 u)
{
    if (!b.n || b.n > a.n)
        return 0;
    u32 first = *b.p;
    const u8 *end = a.p + (a.n - b.n) * u;
    for (const u8 *p = a.p; p <= end; p += u)
        if (*p == first && !memcmp(p, b.p, b.n * u))
            return (p - a.p) / u + 1;
    return 0;
}

INLINE u32 str_char(str s, i64 pos, u32 u)
{
    if (pos < 1 || pos > s.n)
        return 0;
    return u == 1 ? s.p[pos - 1] : U16(s.p + (pos - 1) * 2);
}

/* Below, at or above 0 as a is less than, equal to or greater than b. */
ROUTINE i32 str_order(str a, str b, u32 u)
{
    u32 n = a.n < b.n ? a.n : b.n;
    for (u32 i = 0; i < n; i++) {
        i32 d = u == 1 ? a.p[i] - b.p[i] : U16(a.p + 2 * i) - U16(b.p + 2 * i);
        if (d)
            return d;
    }
    return (i32)(a.n - b.n);
}
INLINE u32 str_same(str a, str b, u32 u) { return a.n == b.n && !memcmp(a.p, b.p, a.n * u); }

INLINE str str_from_char(u8 *room, u32 c, u32 u)
{
    if (u == 1)
        room[0] = c;
    else
        U16(room) = c;
    return (str){ room, 1 };
}
ROUTINE str to_wide(u8 *room, str s)
{
    for (u32 i = 0; i < s.n; i++)
        U16(room + 2 * i) = s.p[i];
    return (str){ room, s.n };
}
ROUTINE str to_narrow(u8 *room, str s)
{
    for (u32 i = 0; i < s.n; i++) {
        u32 c = U16(s.p + 2 * i);
        room[i] = c > 255 ? '?' : c;
    }
    return (str){ room, s.n };
}

ROUTINE u32 digits(u8 *to, u64 x)
{
    u8 reversed[20];
    u32 n = 0;
    do {
        reversed[n++] = '0' + x % 10;
        x /= 10;
    } while (x);
    for (u32 k = 0; k < n; k++)
        to[k] = reversed[n - 1 - k];
    return n;
}
ROUTINE str int_to_str(u8 *room, u64 x, u32 negative)
{
    if (negative)
        room[0] = '-';
    return (str){ room, digits(room + negative, negative ? -x : x) + negative };
}
ROUTINE i64 str_to_int(str s)
{
    u32 i = 0, negative = 0, any = 0;
    u64 value = 0;
    const u64 most = 1ull << 63;
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
        i++;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        negative = s.p[i++] == '-';
    for (; i < s.n; i++) {
        u32 c = s.p[i];
        if (c >= '0' && c <= '9') {
            any = 1;
            value = value > most / 10 ? most : value * 10 + (c - '0');
            if (value > most)
                value = most;
        } else if (c != '_' || !any)
            break;
    }
    if (negative)
        return (i64)-value;
    return value >= most ? 0x7FFFFFFFFFFFFFFFll : (i64)value;
}
ROUTINE str time_to_str(u8 *room, i64 ns)
{
    u64 rest = ns < 0 ? -(u64)ns : (u64)ns, size = 86400000000000ull;
    u32 n = 0;
    room[n++] = 'T';
    room[n++] = '#';
    if (!ns) {
        room[n++] = '0';
        room[n++] = 's';
        return (str){ room, n };
    }
    if (ns < 0)
        room[n++] = '-';
    for (u32 k = 0; k < 7; k++) {
        u64 whole = rest / size;
        if (whole) {
            n += digits(room + n, whole);
            if (k >= 4)
                room[n++] = k == 4 ? 'm' : k == 5 ? 'u' : 'n';
            room[n++] = k == 0 ? 'd' : k == 1 ? 'h' : k == 2 ? 'm' : 's';
            rest %= size;
        }
        size /= k == 0 ? 24 : k < 3 ? 60 : 1000;
    }
    return (str){ room, n };
}
