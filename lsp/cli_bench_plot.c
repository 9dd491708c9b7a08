/* SPDX-License-Identifier: Apache-2.0 */
/* The pictures of `inlined bench`: prefill and decode over the depth of the cache, as two fields of
 * one SVG, each with its own scale from zero; and bars for models beside one another.  Pure.
 * Thread: any. */
#include "lsp/cli_bench.h"

#define WIDTH 720
#define HEIGHT 260
#define FIELD_WIDTH 270
#define FIELD_HEIGHT 150
#define TOP 60

static void add_text(strbuf *out, double x, double y, const char *anchor, const char *text) {
    strbuf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">", x, y, anchor);
    for (const char *c = text; *c; c++) {
        if (*c == '<')
            strbuf_add_str(out, STR("&lt;"));
        else if (*c == '&')
            strbuf_add_str(out, STR("&amp;"));
        else
            strbuf_add_char(out, *c);
    }
    strbuf_add_str(out, STR("</text>\n"));
}

/* One field whose left lower corner is at (x, TOP + FIELD_HEIGHT). */
static void add_field(strbuf *out, double x, const char *title, const bench_point *points, int n,
                      bool decode) {
    double most = 0, deepest = MAX(points[n - 1].depth, 1);
    for (int i = 0; i < n; i++)
        most = MAX(most, decode ? points[i].decode : points[i].prefill);
    if (most <= 0) most = 1;
    double bottom = TOP + FIELD_HEIGHT;
    add_text(out, x, TOP - 14, "start", title);
    strbuf_addf(out,
                "<path d=\"M%.0f %d V%.0f H%.0f\" fill=\"none\" stroke=\"#718096\"/>\n"
                "<path d=\"",
                x, TOP, bottom, x + FIELD_WIDTH);
    for (int i = 0; i < n; i++) {
        double y = decode ? points[i].decode : points[i].prefill;
        strbuf_addf(out, "%c%.1f %.1f ", i ? 'L' : 'M', x + points[i].depth / deepest * FIELD_WIDTH,
                    bottom - y / most * FIELD_HEIGHT);
    }
    strbuf_add_str(out, STR("\" fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"2\"/>\n"));
    for (int i = 0; i < n; i++) {
        double y = decode ? points[i].decode : points[i].prefill;
        double px = x + points[i].depth / deepest * FIELD_WIDTH;
        double py = bottom - y / most * FIELD_HEIGHT;
        char label[48];
        strbuf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#2b6cb0\"/>\n", px, py);
        snprintf(label, sizeof label, "%.*f", y < 100 ? 1 : 0, y);
        add_text(out, px, py - 8, "middle", label);
        snprintf(label, sizeof label, "%d", points[i].depth);
        add_text(out, px, bottom + 16, "middle", label);
    }
    add_text(out, x + FIELD_WIDTH / 2.0, bottom + 34, "middle", "tokens in the cache");
}

void bench_plot(strbuf *out, const char *title, const bench_point *points, int n) {
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
                WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_text(out, WIDTH / 2.0, 20, "middle", title);
    if (n > 0) {
        add_field(out, 50, "prefill, tokens/s", points, n, false);
        add_field(out, 410, "decode, tokens/s", points, n, true);
    }
    strbuf_add_str(out, STR("</svg>\n"));
}

#define LABEL_WIDTH 330
#define BAR_FIELD 190
#define BAR_ROW 24

static void add_bar_field(strbuf *out, const bench_bars *bars, int field, const char *title) {
    double most = 1e-9, x = LABEL_WIDTH + field * (BAR_FIELD + 60);
    for (int i = 0; i < bars->n; i++)
        most = MAX(most, bars->at[i].values[field]);
    add_text(out, x, 24, "start", title);
    for (int i = 0; i < bars->n; i++) {
        double value = bars->at[i].values[field], width = value / most * BAR_FIELD;
        double y = 40 + i * BAR_ROW;
        char label[32];
        strbuf_addf(out,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                    "fill=\"#2b6cb0\"/>\n",
                    x, y, width, BAR_ROW - 8);
        snprintf(label, sizeof label, "%.*f", value < 100 ? 1 : 0, value);
        add_text(out, x + width + 4, y + 12, "start", label);
    }
}

void bench_plot_bars(strbuf *out, const bench_bars *bars) {
    int width = LABEL_WIDTH + 3 * (BAR_FIELD + 60), height = 56 + bars->n * BAR_ROW;
    strbuf_addf(out,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
                width, height, width, height);
    for (int i = 0; i < bars->n; i++)
        add_text(out, LABEL_WIDTH - 10, 52 + i * BAR_ROW, "end", bars->at[i].label);
    add_bar_field(out, bars, 0, "decode, tokens/s");
    add_bar_field(out, bars, 1, "first of 512, ms");
    add_bar_field(out, bars, 2, "memory, MB");
    strbuf_add_str(out, STR("</svg>\n"));
}
