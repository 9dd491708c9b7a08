/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Character classes as pre-tokenisers ask for them: \p{L} \p{M} \p{N} \p{P} \p{S} and \s. */
#include "engine/base/base.h"

enum {
    UC_UPPER = 0x01,  /* Lu, Lt */
    UC_LOWER = 0x02,  /* Ll */
    UC_OTHER = 0x04,  /* Lm, Lo: letters without case */
    UC_MARK = 0x08,   /* M */
    UC_NUMBER = 0x10, /* N */
    UC_PUNCT = 0x20,  /* P */
    UC_SYMBOL = 0x40, /* S */
    UC_SPACE = 0x80,  /* White_Space */
    UC_LETTER = UC_UPPER | UC_LOWER | UC_OTHER,
};

/* The class bits of a code point; 0 for controls, unassigned and everything else. */
uint8_t unicode_class(uint32_t cp);
/* Lower case without accents, as uncased WordPiece wants it: cp itself where nothing changes, 0 for
 * a nonspacing mark. */
uint32_t unicode_fold(uint32_t cp);
