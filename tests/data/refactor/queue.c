/* SPDX-License-Identifier: Apache-2.0 */
/* A sample for refactorings: a ring of numbers, with checks of itself. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(x) do { if (!(x)) { printf("bad: %s\n", #x); exit(1); } } while (0)

typedef struct {
    int at[8];
    int first, count;
} queue;

static int next(int index) {
    int after = index + 1;
    return after % 8;
}

static int push(queue *q, int value) {
    if (q->count == 8) return 0;
    int end = q->first + q->count;
    q->at[end % 8] = value;
    q->count = q->count + 1;
    return 1;
}

static int pop(queue *q, int *value) {
    if (!q->count) return 0;
    *value = q->at[q->first];
    q->first = next(q->first);
    q->count--;
    return 1;
}

static int sum(const queue *q) {
    int total = 0, index = q->first;
    for (int i = 0; i < q->count; i++) {
        total += q->at[index];
        index = next(index);
    }
    return total;
}

static int scale(int a, int b) {
    int product = a * b;
    int half = product / 2;
    if (a + b > 10 && half > 3) return half * (a + 1);
    return product - half * 2;
}

int main(void) {
    queue q = {{0}, 6, 0};
    int value = 0;
    for (int i = 1; i <= 8; i++)
        CHECK(push(&q, i * i));
    CHECK(!push(&q, 1));
    CHECK(sum(&q) == 204);
    CHECK(pop(&q, &value) && value == 1);
    CHECK(next(7) == 0);
    CHECK(scale(3, 9) == 52);
    CHECK(scale(3, 2) == 0);
    puts("good");
    return 0;
}
