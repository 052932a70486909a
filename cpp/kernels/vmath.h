// Elementary functions without branches, so that a loop over them vectorizes. Each states its largest error.
#pragma once

#include "kernels/isa.h"
