; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(function_definition declarator: (function_declarator declarator: (identifier) @name)) @function
(function_definition declarator: (pointer_declarator
  declarator: (function_declarator declarator: (identifier) @name))) @function
(declaration declarator: (function_declarator declarator: (identifier) @name)) @prototype
(declaration declarator: (pointer_declarator
  declarator: (function_declarator declarator: (identifier) @name))) @prototype
(struct_specifier name: (type_identifier) @name body: (_)) @type
(union_specifier name: (type_identifier) @name body: (_)) @type
(enum_specifier name: (type_identifier) @name body: (_)) @type
(enumerator name: (identifier) @name) @constant
(type_definition declarator: (type_identifier) @name) @type
(type_definition declarator: (function_declarator
  declarator: (parenthesized_declarator (pointer_declarator
    declarator: (type_identifier) @name)))) @type
(preproc_def name: (identifier) @name) @constant
(preproc_function_def name: (identifier) @name) @macro
(translation_unit (declaration
  declarator: (init_declarator declarator: (identifier) @name)) @variable)
(field_declaration declarator: (field_identifier) @name) @field
(field_declaration declarator: (pointer_declarator declarator: (field_identifier) @name)) @field
(field_declaration declarator: (array_declarator declarator: (field_identifier) @name)) @field
(class_specifier name: (type_identifier) @name body: (_)) @type
(alias_declaration name: (type_identifier) @name) @type
(concept_definition name: (identifier) @name) @type
(function_definition declarator: (reference_declarator
  (function_declarator declarator: (identifier) @name))) @function
(function_definition declarator: (function_declarator
  declarator: (field_identifier) @name)) @function
(function_definition declarator: (function_declarator
  declarator: (qualified_identifier name: (identifier) @name))) @function
(function_definition declarator: (pointer_declarator (function_declarator
  declarator: (qualified_identifier name: (identifier) @name)))) @function
(field_declaration declarator: (function_declarator
  declarator: (field_identifier) @name)) @prototype
(field_declaration declarator: (pointer_declarator
  declarator: (function_declarator declarator: (field_identifier) @name))) @prototype
(field_declaration declarator: (reference_declarator
  (function_declarator declarator: (field_identifier) @name))) @prototype
