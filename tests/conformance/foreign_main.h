/* Behind the C of one or many programs: makes a Linux process of it that runs tasks for the tests.
 *
 * From standard input, again and again: the number for takt_enter, the size of the image, the image.
 * To standard output: what takt_enter returned, and the image. It ends where the input does. */

#if defined(__riscv)
enum { READ = 63, WRITE = 64, EXIT = 93 };
static u32 call(u32 number, u32 file, void *at, u32 size)
{
    register u32 a0 __asm__("a0") = file, a2 __asm__("a2") = size, a7 __asm__("a7") = number;
    register void *a1 __asm__("a1") = at;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
#elif defined(__thumb__)
enum { READ = 3, WRITE = 4, EXIT = 1 };
static u32 call(u32 number, u32 file, void *at, u32 size)
{
    register u32 r0 __asm__("r0") = file, r2 __asm__("r2") = size;
    register void *r1 __asm__("r1") = at;
    __asm__ volatile("push {r7}\n mov r7, %3\n svc 0\n pop {r7}"
                     : "+r"(r0) : "r"(r1), "r"(r2), "r"(number) : "memory");
    return r0;
}
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, EXIT = 93 };
static u32 call(u32 number, u32 file, void *at, u32 size)
{
    register uptr x0 __asm__("x0") = file, x2 __asm__("x2") = size, x8 __asm__("x8") = number;
    register void *x1 __asm__("x1") = at;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
    return x0;
}
#elif defined(__xtensa__)
enum { READ = 12, WRITE = 13, EXIT = 118 };
static u32 call(u32 number, u32 file, void *at, u32 size)
{
    register u32 a2 __asm__("a2") = number, a6 __asm__("a6") = file, a4 __asm__("a4") = size;
    register void *a3 __asm__("a3") = at;
    __asm__ volatile("syscall" : "+r"(a2) : "r"(a6), "r"(a3), "r"(a4) : "memory");
    return a2;
}
#endif

static u8 image[1 << 20] __attribute__((aligned(16)));

static void transfer(u32 number, u32 file, void *at, u32 size)
{
    for (u8 *p = at; size;) {
        u32 n = call(number, file, p, size);
        if (!n || n > size)
            call(EXIT, n != 0, 0, 0);
        p += n;
        size -= n;
    }
}

__attribute__((used, noreturn)) void serve(void)
{
    for (;;) {
        u32 head[2];
        transfer(READ, 0, head, sizeof head);
        if (head[1] > sizeof image)
            call(EXIT, 2, 0, 0);
        transfer(READ, 0, image, head[1]);
        u32 code = takt_enter(image, head[0]);
        transfer(WRITE, 1, &code, sizeof code);
        transfer(WRITE, 1, image, head[1]);
    }
}

#if defined(__riscv)
__asm__(".global _start\n_start: call serve\n");
#elif defined(__thumb__)
__asm__(".global _start\n.thumb_func\n_start: bl serve\n");
#elif defined(__aarch64__)
__asm__(".global _start\n_start: bl serve\n");
#elif defined(__xtensa__)
__asm__(".global _start\n.align 4\n_start: call0 serve\n");
#endif
