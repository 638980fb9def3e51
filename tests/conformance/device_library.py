"""Runs modules made from Structured Text, on MicroPython: some scans, an image after each."""

# device_library.py LIBRARY FOLDER SCANS NAME...: imports NAME, reads NAME.image, writes
# NAME.result: the image after each scan, 10 ms apart.
import sys


def scan_images(module, image, scans):
    module.attach(image)
    out = bytearray()
    for k in range(scans):
        image[24:32] = (10000000 * k).to_bytes(8, "little")
        module.TASKS[0]()
        out += image
    return out


def main(library, folder, scans, *names):
    sys.path.insert(0, library)
    sys.path.insert(0, folder)
    for name in names:
        with open(folder + "/" + name + ".image", "rb") as f:
            image = bytearray(f.read())
        out = scan_images(__import__(name), image, int(scans))
        with open(folder + "/" + name + ".result", "wb") as f:
            f.write(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
