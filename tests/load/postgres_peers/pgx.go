// Statements of many goroutines over a pool of pgx connections: as postgres_bench measures ours.
//
// usage: pgx ADDRESS CONNECTIONS GOROUTINES SECONDS [pipelined]
// Pipelined: each goroutine sends 16 statements a batch, which pgx writes at once.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const batchStatements = 16

var works = []struct{ name, sql string }{
	{"select_1", "SELECT 1"},
	{"rows_10", "SELECT i, 'row number ' || i FROM generate_series(1, 10) i"},
}

func die(err error) {
	fmt.Fprintln(os.Stderr, "pgx:", err)
	os.Exit(1)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		die(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func read(rows pgx.Rows) {
	for rows.Next() {
		if _, err := rows.Values(); err != nil {
			die(err)
		}
	}
	if rows.Err() != nil {
		die(rows.Err())
	}
}

func ask(pool *pgxpool.Pool, sql string) {
	rows, err := pool.Query(context.Background(), sql)
	if err != nil {
		die(err)
	}
	read(rows)
}

func askBatch(pool *pgxpool.Pool, sql string) {
	batch := &pgx.Batch{}
	for i := 0; i < batchStatements; i++ {
		batch.Queue(sql)
	}
	results := pool.SendBatch(context.Background(), batch)
	for i := 0; i < batchStatements; i++ {
		rows, err := results.Query()
		if err != nil {
			die(err)
		}
		read(rows)
	}
	if err := results.Close(); err != nil {
		die(err)
	}
}

func run(pool *pgxpool.Pool, name, way, sql string, callers, seconds int, pipelined bool) {
	statements := 1
	if pipelined {
		statements = batchStatements
		callers /= batchStatements
	}
	times := make([][]int64, callers)
	var all sync.WaitGroup
	began, cpu := time.Now(), cpuSeconds()
	end := began.Add(time.Duration(seconds) * time.Second)
	for i := 0; i < callers; i++ {
		all.Add(1)
		go func(mine *[]int64) {
			defer all.Done()
			for time.Now().Before(end) {
				asked := time.Now()
				if pipelined {
					askBatch(pool, sql)
				} else {
					ask(pool, sql)
				}
				*mine = append(*mine, time.Since(asked).Microseconds())
			}
		}(&times[i])
	}
	all.Wait()
	elapsed, used := time.Since(began).Seconds(), cpuSeconds()-cpu
	var sorted []int64
	for _, mine := range times {
		sorted = append(sorted, mine...)
	}
	sort.Slice(sorted, func(a, b int) bool { return sorted[a] < sorted[b] })
	if len(sorted) == 0 {
		sorted = []int64{0}
	}
	count := float64(len(sorted) * statements)
	fmt.Printf("%-10s %-16s %8.0f/s %8.0f/cpu-s  p50 %6d us  p99 %6d us\n", name, way,
		count/elapsed, count/used, sorted[len(sorted)/2], sorted[len(sorted)*99/100])
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		die(err)
	}
	return value
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: pgx ADDRESS CONNECTIONS GOROUTINES SECONDS [pipelined]")
		os.Exit(2)
	}
	config, err := pgxpool.ParseConfig(os.Args[1])
	if err != nil {
		die(err)
	}
	config.MaxConns = int32(number(os.Args[2]))
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		die(err)
	}
	defer pool.Close()
	pipelined := len(os.Args) > 5
	way := "pgx pool"
	if pipelined {
		way = "pgx batches"
	}
	for _, work := range works {
		run(pool, work.name, way, work.sql, number(os.Args[3]), number(os.Args[4]), pipelined)
	}
}
