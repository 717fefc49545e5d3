// CLIP's byte-pair merges, part of the program so that it needs no file at run time. See README.md.
#pragma once
#include <stddef.h>

// The text of merges.txt: a header line, then one pair a line, best first. Not terminated by a zero.
const unsigned char *inv_clip_merges_start(void);
size_t inv_clip_merges_size(void);
