# Named by USER_C_MODULES: what is compiled into MicroPython besides its own.
SRC_USERMOD_LIB_C += $(USERMOD_DIR)/ticks.c
