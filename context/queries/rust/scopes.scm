; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(line_comment) @comment
(block_comment) @comment
(string_literal) @string
(raw_string_literal) @string
(char_literal) @string

(use_declaration) @import
