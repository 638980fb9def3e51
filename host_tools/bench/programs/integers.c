/* The same as integers.st. */
#include <stdint.h>

int32_t result[4];
static uint32_t seed = 7;
static uint16_t crc;

void scan(int64_t now)
{
    int32_t total = 0, mean = 0;
    for (int i = 1; i <= 16; i++) {
        seed = seed * 1664525 + 1013904223;
        int16_t raw = (int16_t)(seed >> 17);
        int32_t scaled = raw * 1000 / 27648;
        total += scaled;
        mean = total / i;
        crc = 0xFFFF - (uint16_t)(crc * 3 + (uint16_t)scaled) % 64999;
    }
    int32_t day = (int32_t)(seed >> 16), year = day / 365, left = day % 365;
    result[0] = total;
    result[1] = mean;
    result[2] = crc;
    result[3] = year * 1000 + left / 7;
}
