#include "clip_merges.h"

#pragma clang diagnostic ignored "-Wc23-extensions"  // #embed: clang has it in every language mode

static const unsigned char merges[] = {
#embed "merges.txt"
};

const unsigned char *inv_clip_merges_start(void) { return merges; }
size_t inv_clip_merges_size(void) { return sizeof merges; }
