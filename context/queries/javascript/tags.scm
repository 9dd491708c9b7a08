; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(method_definition name: (property_identifier) @name) @function
(variable_declarator name: (identifier) @name
  value: [(arrow_function) (function_expression)]) @function
(assignment_expression left: (member_expression property: (property_identifier) @name)
  right: [(arrow_function) (function_expression)]) @function
(pair key: (property_identifier) @name value: [(arrow_function) (function_expression)]) @function
(program (lexical_declaration (variable_declarator name: (identifier) @name) @variable))
(program (export_statement (lexical_declaration
  (variable_declarator name: (identifier) @name) @variable)))
(class_declaration name: (identifier) @name) @type
(field_definition property: (property_identifier) @name) @field
