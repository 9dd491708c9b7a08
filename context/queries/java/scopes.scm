; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(line_comment) @comment
(block_comment) @comment
(string_literal) @string
(character_literal) @string
(string_interpolation) @code

(import_declaration) @import

(method_declaration body: (_) @body) @scope
(constructor_declaration body: (_) @body) @scope
(class_declaration body: (_) @body) @scope
(interface_declaration body: (_) @body) @scope
(enum_declaration body: (_) @body) @scope
(record_declaration body: (_) @body) @scope
