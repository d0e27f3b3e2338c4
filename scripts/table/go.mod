module github.com/cfaccess/cfaccess/scripts/table

go 1.25.0
