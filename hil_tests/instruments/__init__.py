"""What the bench measures and stimulates with: wires between emulated boards, the instrument Pico,
models of devices on buses."""
