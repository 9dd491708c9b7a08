// SPDX-License-Identifier: Apache-2.0

// A sample for refactorings: a shop's shelves, with checks of itself.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

type item struct {
	name  string
	count int
	price float64
}

type store struct {
	items map[string]*item
	log   []string
}

var errNone = errors.New("none left")

func newStore() *store {
	return &store{items: map[string]*item{}}
}

func (s *store) put(name string, count int, price float64) int {
	found := s.items[name]
	if found == nil {
		found = &item{name: name}
		s.items[name] = found
	}
	before := found.count
	found.count = before + count
	found.price = price
	s.log = append(s.log, fmt.Sprintf("%s: %d", name, found.count))
	return found.count
}

func (s *store) take(name string, count int) (float64, error) {
	found := s.items[name]
	if found == nil || found.count < count {
		return 0, errNone
	}
	found.count -= count
	rest := found.count
	label := name + ":" + fmt.Sprint(rest)
	s.log = append(s.log, label)
	total := float64(count) * found.price
	if count >= 10 {
		total = total * 0.9
	}
	return total, nil
}

func words(text string) (string, int) {
	counts := map[string]int{}
	best, most := "", 0
	for _, word := range strings.Fields(text) {
		key := strings.ToLower(word)
		counts[key]++
		n := counts[key]
		if n > most {
			best = key
			most = n
		}
	}
	return best, most
}

func sums(numbers []int) (total, squares int) {
	for i, n := range numbers {
		if n < 0 {
			continue
		}
		square := n * n
		total += n
		squares += square + i*0
	}
	return
}

func check(good bool, what string) {
	if !good {
		fmt.Println("bad:", what)
		os.Exit(1)
	}
}

func main() {
	s := newStore()
	check(s.put("bolt", 12, 0.5) == 12, "put")
	check(s.put("bolt", 3, 0.5) == 15, "put again")
	total, err := s.take("bolt", 10)
	check(err == nil && total == 4.5, "take many")
	total, err = s.take("bolt", 2)
	check(err == nil && total == 1, "take few")
	_, err = s.take("bolt", 9)
	check(err == errNone, "take too many")
	check(strings.Join(s.log, " ") == "bolt: 12 bolt: 15 bolt:5 bolt:3", "log")
	best, most := words("a B b c b A")
	check(best == "b" && most == 3, "words")
	plus, squares := sums([]int{1, -5, 3})
	check(plus == 4 && squares == 10, "sums")
	fmt.Println("good")
}
