package key

// goldenKeys are the keys of TestKeysAreWhatTheyWere. A change empties every
// cache.
var goldenKeys = []string{
	"judhcu5mokneu7ucedexsnp7xjtuq6da", // <nil>
	"4wrck3ejnxlcov5nbrjax2kxrfbiavh7", // bool
	"cxmhs2hxlwjqa2oycq357kri6jfkl264", // int
	"cxmhs2hxlwjqa2oycq357kri6jfkl264", // int8
	"oxs4c4kpjkw7pnjce74wg6ajqeh3zyqv", // uint
	"x6btti4grltneigz2gmdni2q6tvrotsy", // float64
	"3yw5rrtjsl5mmk4quby342qhbs5wfy7u", // float32
	"nsnwzjgl5lnume3qkwcewsfcy3b5j4m5", // string
	"3lpx4d3yyqg6nupwl3ionnttavj5qlo3", // []uint8
	"l54snutiokyxu43jauua5s4x2dwdj4qz", // []int
	"l54snutiokyxu43jauua5s4x2dwdj4qz", // [3]int
	"sbnsz2dsvhb3dccksr6zmw3k74wf2cxd", // []float64
	"cyb3utcjj3ecy6rlomchspdqk7tsgd3n", // map[string]int
	"ri7q6vvyew55fiimc4dmnj3yk75wzmxx", // key.leaf
	"himisrjf356awsjcvbdwfxvihwxqszy7", // *key.leaf
	"tvgnmp7zhfmqm65qpyn4ynbwnluvz3dh", // time.Time
	"xz2npd3j3tn4cv4kq7udbfwwqhiqbegn", // *big.Int
	"4yhsdb5ybidfxpkvmytpust55ql7uvfd", // complex128
	"s2n3blwkyz4hsw5fpdklqx7tf6ll4djr", // []complex64
	"n33znr6pfncsyeolhgbgyjijw5il6vbb", // []interface {}
}
