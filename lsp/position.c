/* SPDX-License-Identifier: Apache-2.0 */
/* Positions: the protocol counts lines and, in a line, UTF-8 bytes, UTF-16 units or code points
 * (negotiated at initialize); everything else here counts bytes of the document.
 *
 * Clamping is the specification's: a character past the end of the line is the end of the line.  A
 * line past the end of the document is the document's end, since it can mean nothing else.
 * Thread: loop; no state.
 */
#include "lsp/position.h"

#include "engine/base/utf8.h"

const char *position_encoding_name(position_encoding enc) {
    switch (enc) {
    case ENCODING_UTF8: return "utf-8";
    case ENCODING_UTF16: return "utf-16";
    case ENCODING_UTF32: return "utf-32";
    }
    return "utf-16";
}

/* Moves an offset that is inside a character back to its start. */
static size_t boundary(str line, size_t offset) {
    for (size_t back = 1; back <= 3 && back <= offset && offset < line.len; back++) {
        uint32_t cp;
        int n = utf8_decode(str_sub(line, offset - back, line.len), &cp);
        if ((size_t)n > back) return offset - back;
    }
    return offset;
}

size_t position_in_line(str line, position_encoding enc, uint32_t character) {
    switch (enc) {
    case ENCODING_UTF8: return boundary(line, MIN(character, line.len));
    case ENCODING_UTF16: return utf8_offset_of_utf16(line, character);
    case ENCODING_UTF32: return utf8_offset_of_cp(line, character);
    }
    return 0;
}

uint32_t position_units(str line, position_encoding enc, size_t offset) {
    str before = str_sub(line, 0, offset);
    switch (enc) {
    case ENCODING_UTF8: return (uint32_t)before.len;
    case ENCODING_UTF16: return (uint32_t)utf8_count_utf16(before);
    case ENCODING_UTF32: return (uint32_t)utf8_count(before);
    }
    return 0;
}

size_t position_to_offset(const document *d, position_encoding enc, lsp_position at) {
    if (at.line >= document_line_count(d)) return document_text(d).len;
    str line = document_line(d, at.line);
    return document_line_start(d, at.line) + position_in_line(line, enc, at.character);
}

lsp_position position_of_offset(const document *d, position_encoding enc, size_t offset) {
    size_t line = document_line_of(d, offset);
    size_t start = document_line_start(d, line);
    return (lsp_position){(uint32_t)line,
                          position_units(document_line(d, line), enc, offset - start)};
}
