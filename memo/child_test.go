package memo

func child() int { return 0 }
