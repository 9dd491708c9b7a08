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

(method_declaration body: (_) @body) @scope
(constructor_declaration body: (_) @body) @scope
(local_function_statement body: (_) @body) @scope
(class_declaration body: (_) @body) @scope
(struct_declaration body: (_) @body) @scope
(interface_declaration body: (_) @body) @scope
(record_declaration body: (_) @body) @scope
(enum_declaration body: (_) @body) @scope
(namespace_declaration body: (_) @body) @scope
