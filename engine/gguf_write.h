/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Writing GGUF v3: pairs and tensor descriptions first, then the tensors' data in the same order.
 *
 *     gguf_writer_open -> gguf_write_* (pairs) -> gguf_write_tensor (descriptions)
 *       -> gguf_write_data for each tensor -> gguf_writer_commit
 *
 * The file is written beside its place under a temporary name and renamed by commit;
 * gguf_writer_close
 * without it leaves nothing.  The first error sticks: check it at commit.  Thread: one at a time.
 * */
#include "engine/gguf.h"

typedef struct gguf_writer gguf_writer;

status gguf_writer_open(gguf_writer **out, const char *path, err *e) MUST_USE;
void gguf_writer_close(gguf_writer *w); /* accepts NULL */

void gguf_write_str(gguf_writer *w, str key, str value);
void gguf_write_u32(gguf_writer *w, str key, uint32_t value);
void gguf_write_strs(gguf_writer *w, str key, const str *values, size_t count);
void gguf_write_f32s(gguf_writer *w, str key, const float *values, size_t count);
/* Pair `index` of another file, under `key`. */
void gguf_write_copy(gguf_writer *w, str key, const gguf *from, size_t index);
void gguf_write_tensor(gguf_writer *w, str name, int type, int n_dims, const uint64_t *ne,
                       uint64_t bytes);
/* The next piece of data; a tensor may come in several.  The padding between tensors is written by
 * the writer.  The first call ends the header. */
void gguf_write_data(gguf_writer *w, const void *bytes, size_t n);
/* Errors: ERR_IO (what the disk said).  The writer is to be closed in any case. */
status gguf_writer_commit(gguf_writer *w, err *e) MUST_USE;
