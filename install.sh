#!/bin/sh
# Installs Takt from this folder into the virtual environment .venv (or $VENV).
#
#   sh install.sh              the takt command
#   sh install.sh micropython  and a real MicroPython to run programs in
#   sh install.sh pico         and an emulated Pico with its firmware
#   sh install.sh native       and a C compiler, for programs as machine code
#   sh install.sh bench        and a bench to test on
#   sh install.sh test         and all that the tests need: peers, linters, firmware for the emulated Pico
#
# Needs Python 3.11 or later. On Debian and Ubuntu what the system lacks is installed with apt-get
# (as root, or through sudo); elsewhere the script says what is missing and stops.
set -eu
cd "$(dirname "$0")"
extra=${1:-}
venv=${VENV:-.venv}
case "$extra" in
    "" | micropython | pico | native | bench | test) ;;
    *) echo "install.sh: '$extra' is none of: micropython, pico, native, bench, test" >&2; exit 2 ;;
esac

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"
    else echo "install.sh: please run as root: $*" >&2; exit 1; fi
}

python=
for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "install.sh: Python 3.11 or later is needed; found: $(python3 --version 2>&1 || echo none)" >&2
    exit 1
fi

if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian and Ubuntu ship Python without what `python -m venv` needs.
        if ! command -v apt-get >/dev/null; then
            echo "install.sh: $python cannot make virtual environments; install its venv and ensurepip" >&2
            exit 1
        fi
        as_root apt-get update -qq
        as_root apt-get install -y -qq python3-venv >/dev/null
    fi
    "$python" -m venv "$venv"
fi

"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}"
if [ "$extra" = test ] || [ "$extra" = pico ]; then
    "$venv/bin/takt" firmware build pico
fi
if [ "$extra" = test ]; then
    "$venv/bin/takt" firmware build qemu-m3
    # Processors that the tests run machine code on, and the compiler for one of them.
    missing=
    for tool in qemu-system-arm qemu-riscv32 qemu-xtensa xtensa-lx106-elf-gcc; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    if [ -n "$missing" ]; then
        packages="qemu-system-arm qemu-user gcc-xtensa-lx106"
        if ! command -v apt-get >/dev/null; then
            echo "install.sh: the tests need$missing, on Debian of these packages: $packages" >&2
            exit 1
        fi
        as_root apt-get update -qq
        as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
    fi
fi
