"""Runs generated modules for some scans each; for CPython and MicroPython alike."""

# python device_programs.py LIBRARY FOLDER SCANS NAME...: reads NAME.image, imports NAME,
# writes NAME.result: for each scan u8 fault code, u32 position, then the image.
import sys


def scan_program(program, fault_type, image, scans, before_scan):
    program.attach(image)
    out = bytearray()
    for scan in range(scans):
        before_scan(image, scan)
        fault = bytes(5)
        try:
            program.TASKS[0]()
        except fault_type as e:
            fault = bytes((e.code,)) + e.pos.to_bytes(4, "little")
        out += fault
        out += image[:704]
    return out


def main(library, folder, scans, *names):
    sys.path.insert(0, library)
    sys.path.insert(0, folder)
    from controller.rt import Fault

    def before_scan(image, scan):
        image[24:32] = (10000000 * scan).to_bytes(8, "little")
        for i in range(8):
            image[272 + 16 * i + scan] = 37 * scan + 11 * i & 255
            image[256 + i] = scan >> i % 3 & 1

    for name in names:
        with open(folder + "/" + name + ".image", "rb") as f:
            image = bytearray(f.read())
        program = __import__(name)
        out = scan_program(program, Fault, image, int(scans), before_scan)
        with open(folder + "/" + name + ".result", "wb") as f:
            f.write(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
