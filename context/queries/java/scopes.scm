; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(line_comment) @comment
(block_comment) @comment
(string_literal) @string
(character_literal) @string
(string_interpolation) @code

(import_declaration) @import
