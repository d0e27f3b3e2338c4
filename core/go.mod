module github.com/cfaccess/cfaccess/core

go 1.25.0
