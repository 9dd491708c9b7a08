/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Functions that must not compile in C files: each has a bounded or checked replacement.
 *
 *   strcpy strcat sprintf strncpy  ->  strbuf (str.h) or snprintf
 *   strtok                         ->  str_split (str.h)
 *   atoi atol                      ->  str_to_i64 (str.h)
 *   cJSON_GetObjectItem            ->  cJSON_GetObjectItemCaseSensitive (the other folds case)
 */
#ifndef __cplusplus
# undef strcpy
# undef strcat
# undef strncpy
# undef strtok
# define strcpy(a, b) banned_use_strbuf()
# define strcat(a, b) banned_use_strbuf()
# define strncpy(a, b, n) banned_use_strbuf()
# define sprintf(...) banned_use_snprintf()
# define strtok(a, b) banned_use_str_split()
# define atoi(a) banned_use_str_to_i64()
# define atol(a) banned_use_str_to_i64()
# define cJSON_GetObjectItem(a, b) banned_use_case_sensitive()
#endif
