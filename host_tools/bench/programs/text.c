/* The same as text.st: strings with their length, cut off at their capacity. */
#include <stdint.h>
#include <string.h>

typedef struct {
    uint16_t most, n;
    char c[60];
} string;

int32_t result[4];
static int16_t a[32];
static string name = { 20, 8, "conveyor" }, line = { 60 }, head = { 60 };
static uint32_t seed = 99;

static void append(string *s, const char *c, unsigned n)
{
    if (n > (unsigned)(s->most - s->n))
        n = s->most - s->n;
    memcpy(s->c + s->n, c, n);
    s->n += n;
}

static void assign(string *s, const string *from)
{
    s->n = 0;
    append(s, from->c, from->n);
}

static int find(const string *s, const char *c, int n)
{
    for (int i = 0; i + n <= s->n; i++)
        if (!memcmp(s->c + i, c, n))
            return i + 1;
    return 0;
}

static void replace(string *s, const char *c, int n, int count, int position)
{
    string old = *s;
    s->n = position - 1;
    append(s, c, n);
    append(s, old.c + position - 1 + count, old.n - (position - 1 + count));
}

void scan(int64_t now)
{
    for (int i = 0; i <= 31; i++) {
        seed = seed * 1664525 + 1013904223;
        a[i] = (int16_t)(seed >> 20);
    }
    for (int i = 1; i <= 31; i++) {
        int16_t v = a[i];
        int j = i - 1;
        while (j >= 0 && a[j] > v) {
            a[j + 1] = a[j];
            j--;
        }
        a[j + 1] = v;
    }
    int32_t sum = 0;
    for (int i = 0; i <= 31; i++)
        sum += (int16_t)(a[i] * (i + 1));
    assign(&head, &name);
    append(&head, " stopped: ", 10);
    assign(&line, &head);
    append(&line, "jam at position ", 16);
    int k = find(&line, "position", 8);
    replace(&line, "the gate", 8, 8, k);
    result[0] = sum;
    result[1] = k;
    result[2] = line.n;
    if (line.n == 34 && !memcmp(line.c, "conveyor stopped: jam at the gate ", 34))
        result[3]++;
}
