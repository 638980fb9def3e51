// The port's own configuration, and what Takt's controller needs besides: time and asyncio, which
// the port leaves out because it knows no clock. ticks.c reads one.
#include <mpconfigport.h>

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)
#undef MICROPY_PY_SELECT
#define MICROPY_PY_SELECT (1)
#undef MICROPY_PY_ASYNCIO
#define MICROPY_PY_ASYNCIO (1)
