; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string_literal) @string
(verbatim_string_literal) @string
(raw_string_literal) @string
(character_literal) @string
(interpolated_string_expression) @string
(interpolation) @code

(using_directive) @import
