// Package throughput has the benchmark of scripts/throughput.sh: an application
// behind nginx, cfaccess gate and oauth2-proxy.
package throughput
