package table

import "testing"

func TestTable(t *testing.T) {
	numbers := Table{Head: []string{"what", "×"}}
	numbers.Add("µ", "1")
	numbers.Add("longer", "100")
	wantTerminal := "what       ×\nµ          1\nlonger   100\n"
	if got := numbers.Terminal(); got != wantTerminal {
		t.Errorf("terminal:\n%s\nwant:\n%s", got, wantTerminal)
	}
	wantMarkdown := "| what | × |\n| --- | ---: |\n| µ | 1 |\n| longer | 100 |\n"
	if got := numbers.Markdown(); got != wantMarkdown {
		t.Errorf("markdown:\n%s\nwant:\n%s", got, wantMarkdown)
	}
	numbers.Text = []int{1}
	if got, want := numbers.Terminal(), "what     ×\nµ        1\nlonger   100\n"; got != want {
		t.Errorf("text:\n%s\nwant:\n%s", got, want)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_000_050: "1,000,050"} {
		if got := Thousands(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
