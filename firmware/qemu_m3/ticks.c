// Time from timer 0 of the MPS2 board, which counts down from 2^32 - 1 at 25 MHz (Arm AN385; CMSDK APB
// timer). It is added up when it is read, so it must be read every 171 s. No 64-bit division: libgcc's
// brings sections that the port's linker script has no place for.
#include <stdint.h>

#include "py/mphal.h"
#include "py/runtime.h"

#define CTRL (*(volatile uint32_t *)0x40000000)
#define VALUE (*(volatile uint32_t *)0x40000004)
#define RELOAD (*(volatile uint32_t *)0x40000008)
#define TICKS_PER_US 25

static uint32_t last, us, us_of_ms, ms;

static uint32_t counted(void) {
    if (!(CTRL & 1)) {
        RELOAD = 0xFFFFFFFF;
        VALUE = 0xFFFFFFFF;
        CTRL = 1;
    }
    return 0xFFFFFFFF - VALUE;
}

static void add_up(void) {
    uint32_t passed = (counted() - last) / TICKS_PER_US;
    last += passed * TICKS_PER_US;
    us += passed;
    us_of_ms += passed;
    ms += us_of_ms / 1000;
    us_of_ms %= 1000;
}

mp_uint_t mp_hal_ticks_us(void) {
    add_up();
    return us;
}

mp_uint_t mp_hal_ticks_ms(void) {
    add_up();
    return ms;
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return counted();
}

void mp_hal_delay_us(mp_uint_t duration) {
    uint32_t start = mp_hal_ticks_us();
    while (mp_hal_ticks_us() - start < duration) {
        mp_event_handle_nowait();
    }
}

void mp_hal_delay_ms(mp_uint_t duration) {
    uint32_t start = mp_hal_ticks_ms();
    while (mp_hal_ticks_ms() - start < duration) {
        mp_event_handle_nowait();
    }
}
