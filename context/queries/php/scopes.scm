; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(encapsed_string) @string
(heredoc) @string
(text) @string

(namespace_use_declaration) @import

(function_definition body: (_) @body) @scope
(method_declaration body: (_) @body) @scope
(class_declaration body: (_) @body) @scope
(interface_declaration body: (_) @body) @scope
(trait_declaration body: (_) @body) @scope
