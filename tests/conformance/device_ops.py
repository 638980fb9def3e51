"""Runs a generated module over a file of operand tuples; for CPython and MicroPython alike."""

# python device_ops.py LIBRARY MODULE CASES RESULTS: MODULE is imported from the folder of CASES.
# A case: u16 task, then three operands of 8 bytes. A result: 8 bytes, u8 fault code, u8 fault pos.
import sys


def main(library, module, cases, results):
    sys.path.insert(0, library)
    sys.path.insert(0, cases[: cases.rindex("/")])
    from controller.rt import Fault

    program = __import__(module)
    image = bytearray(1024)
    image[24:32] = b"\x15\xcd\x5b\x07\0\0\1\0"
    program.attach(image)
    out = b""
    with open(cases, "rb") as f, open(results, "wb") as g:
        while True:
            case = f.read(26)
            if not case:
                break
            image[512:536] = case[2:]
            image[536:544] = b"\0\0\0\0\0\0\0\0"
            fault = b"\0\0"
            try:
                program.TASKS[case[0] | case[1] << 8]()
            except Fault as e:
                fault = bytes((e.code, e.pos))
            out += bytes(image[536:544]) + fault
            if len(out) > 4000:
                g.write(out)
                out = b""
        g.write(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
