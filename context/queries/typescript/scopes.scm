; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(template_string) @string
(template_substitution) @code

(import_statement) @import

(function_declaration body: (_) @body) @scope
(generator_function_declaration body: (_) @body) @scope
(method_definition body: (_) @body) @scope
(class_declaration body: (_) @body) @scope
(abstract_class_declaration body: (_) @body) @scope
(interface_declaration body: (_) @body) @scope
(enum_declaration body: (_) @body) @scope
(internal_module body: (_) @body) @scope
(arrow_function body: (_) @body) @scope
(function_expression body: (_) @body) @scope
