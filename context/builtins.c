/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a language knows without an import and that people call: functions, types that are
 * called to make a value, and for JavaScript those of browsers, Node and its usual test runners.
 * Each list is words between blanks, sorted. */
#include "context/builtins.h"

static const char python[] =
    " "
    "ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup "
    "BlockingIOError BrokenPipeError BufferError BytesWarning ChildProcessError "
    "ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError "
    "DeprecationWarning EOFError EncodingWarning EnvironmentError Exception ExceptionGroup "
    "FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError "
    "ImportError ImportWarning IndentationError IndexError InterruptedError IsADirectoryError "
    "KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError "
    "NotADirectoryError NotImplementedError OSError OverflowError PendingDeprecationWarning "
    "PermissionError ProcessLookupError PythonFinalizationError RecursionError ReferenceError "
    "ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError "
    "SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError "
    "UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning "
    "UserWarning ValueError Warning ZeroDivisionError __import__ abs aiter all anext any ascii "
    "bin bool breakpoint bytearray bytes callable chr classmethod compile complex delattr dict "
    "dir divmod enumerate eval exec exit filter float format frozenset getattr globals hasattr "
    "hash help hex input int isinstance issubclass iter len list locals map max memoryview min "
    "next object oct open ord pow print property quit range repr reveal_type reversed round set "
    "setattr slice sorted staticmethod str sum super tuple type vars zip ";

static const char javascript[] =
    " "
    "AbortController AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array "
    "BigUint64Array Blob Boolean BroadcastChannel Buffer CompressionStream CustomEvent "
    "DOMException DataView Date DecompressionStream Error EvalError Event EventSource "
    "EventTarget File FileReader FinalizationRegistry Float32Array Float64Array FormData "
    "Function Headers Image Int16Array Int32Array Int8Array IntersectionObserver Map "
    "MessageChannel MutationObserver Number Object Option PerformanceObserver Promise Proxy "
    "RangeError ReadableStream ReferenceError RegExp Request ResizeObserver Response Set "
    "SharedArrayBuffer String Symbol SyntaxError TextDecoder TextDecoderStream TextEncoder "
    "TextEncoderStream TransformStream TypeError URIError URL URLSearchParams Uint16Array "
    "Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebSocket Worker "
    "WritableStream XMLHttpRequest addEventListener after afterAll afterEach alert atob before "
    "beforeAll beforeEach btoa cancelAnimationFrame clearImmediate clearInterval clearTimeout "
    "confirm constructor context decodeURI decodeURIComponent define describe dispatchEvent "
    "encodeURI encodeURIComponent escape eval expect fetch getComputedStyle import "
    "importScripts isFinite isNaN matchMedia parseFloat parseInt postMessage prompt "
    "queueMicrotask removeEventListener requestAnimationFrame requestIdleCallback require "
    "setImmediate setInterval setTimeout specify structuredClone suite super test unescape ";

static const char go[] =
    " "
    "any append bool byte cap clear close complex complex128 complex64 copy delete error "
    "float32 float64 imag init int int16 int32 int64 int8 len main make max min new panic print "
    "println real recover rune string uint uint16 uint32 uint64 uint8 uintptr ";

static const char rust[] =
    " "
    "Arc Box Err From Into None Option Rc Result Some String Vec assert drop format panic print "
    "println vec ";

static const struct {
    const char *language, *names;
} lists[] = {
    {"go", go},     {"javascript", javascript}, {"python", python},
    {"rust", rust}, {"tsx", javascript},        {"typescript", javascript},
};

const char *builtins_of(const language *l) {
    for (size_t i = 0; i < COUNTOF(lists); i++)
        if (!strcmp(lists[i].language, l->name)) return lists[i].names;
    return NULL;
}

bool builtins_have(const char *names, str word) {
    for (const char *at = names; (at = strchr(at, ' ')) && at[1]; at++)
        if (!strncmp(at + 1, word.ptr, word.len) && at[1 + word.len] == ' ') return true;
    return false;
}
