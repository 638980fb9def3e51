"""Runs compiled cases scan by scan and keeps the images; for CPython and MicroPython alike."""

# python device_cases.py LIBRARY FOLDER: FOLDER holds the modules NAME, and the file `cases` with a
# line of JSON for each: name, image, tasks, layout, safe, sets, keep. The images after the scans
# named in `keep` go to NAME.images, one behind the other.
import binascii
import json
import sys


def run(case, program, initial):
    """The images of one case as a list of bytes."""
    from controller import image as im
    from controller.mailbox import Mailbox
    from controller.scheduler import Scheduler

    layout = binascii.unhexlify(case["layout"])
    image = im.create(case["image"], len(case["tasks"]), layout, initial)
    data = image.data
    scheduler = Scheduler(image, case["tasks"], program, None, Mailbox(image), safe=case["safe"])
    kept = []
    for scan in range(case["scans"] + 1):
        if scan:
            scheduler.run_virtual(1)
        if scan in case["keep"]:
            kept.append(bytes(data))
        for at, offset, value, bit in case["sets"]:
            if at == scan:
                store(data, offset, binascii.unhexlify(value), bit)
    return kept


def store(data, offset, value, bit):
    """What host_tools.variables.Variables.encode gave, into the image."""
    if bit is None:
        for i in range(len(value)):
            data[offset + i] = value[i]
    elif value[0]:
        data[offset] |= 1 << bit
    else:
        data[offset] &= ~(1 << bit)


def main(library, folder):
    sys.path.insert(0, library)
    sys.path.insert(0, folder)
    with open(folder + "/cases") as cases:
        for line in cases:
            case = json.loads(line)
            name = case["name"]
            program = __import__(name)
            with open(folder + "/" + name + ".initial", "rb") as f:
                initial = f.read()
            with open(folder + "/" + name + ".images", "wb") as f:
                for image in run(case, program, initial):
                    f.write(image)


if __name__ == "__main__":
    main(*sys.argv[1:])
