package oneshot

import (
	"container/list"

	"github.com/nasbench-go/nasbench/autograd"
)

// cache keeps compiled training steps by the text of their genomes, up to a number of bytes; the least recently used go first. Parameters are
// not part of a step: it finds them where the store has them, and is out of date when one of them has grown.
type cache struct {
	limit, bytes int64
	memory       *autograd.Memory
	arena        int64 // bytes of memory that the programs were compiled for
	order        *list.List
	at           map[string]*list.Element

	hits, misses int
}

func newCache(limit int64, memory *autograd.Memory) *cache {
	return &cache{limit: limit, memory: memory, order: list.New(), at: map[string]*list.Element{}}
}

// get returns the step of a genome, or nil.
func (c *cache) get(genome string) *program {
	c.outgrown()
	e := c.at[genome]
	if e == nil {
		c.misses++
		return nil
	}
	p := e.Value.(*program)
	if p.stale() {
		c.drop(e)
		c.misses++
		return nil
	}
	c.hits++
	c.order.MoveToFront(e)
	return p
}

// outgrown drops everything if the arena has grown: programs of one that was too small would keep it.
func (c *cache) outgrown() {
	if c.memory.Bytes() > c.arena {
		c.clear()
		c.arena = c.memory.Bytes()
	}
}

// clear drops everything.
func (c *cache) clear() {
	c.order.Init()
	clear(c.at)
	c.bytes = 0
}

// put keeps the step of a genome that it does not have.
func (c *cache) put(p *program) {
	c.outgrown()
	c.at[p.genome] = c.order.PushFront(p)
	c.bytes += p.bytes
	for c.bytes > c.limit && c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	p := c.order.Remove(e).(*program)
	delete(c.at, p.genome)
	c.bytes -= p.bytes
}
