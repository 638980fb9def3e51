/* The same as time64.st. */
#include <stdint.h>

int32_t result[4];
static int64_t last, on_time, off_time, due[16];
static int32_t hits;

void scan(int64_t now)
{
    if (result[3] % 3 == 0)
        on_time += now - last;
    else
        off_time += now - last;
    last = now;
    for (int i = 0; i <= 15; i++)
        if (now >= due[i]) {
            due[i] += 30000000 + (int64_t)i * 1500000;
            hits++;
        }
    int64_t of_day = now + 27000000000000;
    result[0] = hits;
    result[1] = (int32_t)(of_day / 1000000);
    result[2] = (int32_t)(on_time / 1000000) - (int32_t)(off_time / 1000000);
    result[3]++;
}
