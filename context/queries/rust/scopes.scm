; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(line_comment) @comment
(block_comment) @comment
(string_literal) @string
(raw_string_literal) @string
(char_literal) @string

(use_declaration) @import

(function_item body: (_) @body) @scope
(impl_item body: (_) @body) @scope
(trait_item body: (_) @body) @scope
(mod_item body: (_) @body) @scope
(struct_item body: (_) @body) @scope
(enum_item body: (_) @body) @scope
