; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string_literal) @string
(char_literal) @string
(system_lib_string) @string

(preproc_include) @import
