// What one core multiplies at most: loops that live in registers, on the instructions that the kernels use.
#pragma once
#include <stddef.h>

/// Runs `rounds` rounds of independent accumulations and returns how many operations that was (a multiplication and an
/// addition are two); 0 where the processor lacks the instructions.
double inv_ceiling_int8(size_t rounds);
double inv_ceiling_pairs(size_t rounds);
double inv_ceiling_f32(size_t rounds);
