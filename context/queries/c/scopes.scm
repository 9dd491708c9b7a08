; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string_literal) @string
(char_literal) @string
(system_lib_string) @string

(preproc_include) @import

(function_definition body: (_) @body) @scope
(struct_specifier body: (_) @body) @scope
(enum_specifier body: (_) @body) @scope
